package laws

import (
	"net/http"
	"strconv"
)

// conditions are what a request demands of an object. nil is nothing; the generation of
// an object that is not there is 0.
// https://cloud.google.com/storage/docs/request-preconditions
type conditions struct {
	match, notMatch         *int64
	metaMatch, metaNotMatch *int64
}

// conditionsOf reads the conditions on the target of c.
func conditionsOf(c call) conditions {
	if isXML(c) {
		return conditions{
			match:     number(c.Header.Get("X-Goog-If-Generation-Match")),
			metaMatch: number(c.Header.Get("X-Goog-If-Metageneration-Match")),
		}
	}
	return conditionsIn(c, "if")
}

// conditionsIn reads the parameters with a prefix: "if", or "ifSource".
func conditionsIn(c call, prefix string) conditions {
	q := c.URL.Query()
	return conditions{
		match:        number(q.Get(prefix + "GenerationMatch")),
		notMatch:     number(q.Get(prefix + "GenerationNotMatch")),
		metaMatch:    number(q.Get(prefix + "MetagenerationMatch")),
		metaNotMatch: number(q.Get(prefix + "MetagenerationNotMatch")),
	}
}

func number(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// unmet is the status of a request whose conditions do not hold for o, or 0. o is nil for
// an object that is not there.
func (c conditions) unmet(o *stored) int {
	there := o != nil
	if !there {
		o = new(stored)
	}
	switch {
	case c.match != nil && *c.match != o.Generation, c.metaMatch != nil && *c.metaMatch != o.Metageneration:
		return http.StatusPreconditionFailed
	case c.notMatch != nil && *c.notMatch == o.Generation, c.metaNotMatch != nil && *c.metaNotMatch == o.Metageneration:
		return http.StatusNotModified
	case !there && (c.notMatch != nil || c.metaNotMatch != nil):
		return http.StatusPreconditionFailed
	}
	return 0
}

// preconditions refuses what a request's conditions exclude.
func preconditions(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		cond := conditionsOf(c)
		switch {
		case c.key == "":
			next(w, c)
			return
		case c.op == "objects.get", c.op == "GET Object", c.op == "HEAD Object":
			if cond != (conditions{}) {
				r.readIf(w, c, cond, next)
				return
			}
			next(w, c)
			return
		}
		if status := r.unmetBy(c, cond); status != 0 {
			r.refuseCondition(w, c, status)
			return
		}
		next(w, c)
	}
}

// unmetBy is the status of a change whose conditions do not hold, or 0.
func (e rule) unmetBy(c call, cond conditions) int {
	if e.onGCS.changed(c) == nil {
		return 0
	}
	if cond != (conditions{}) {
		o := e.stat(c.Context(), c.target(), c.URL.Query().Get("generation"))
		if o == nil && !e.onGCS.makes(c) && e.options.GCS.AbsentIsNotFound {
			return 0 // the store answers 404
		}
		if status := cond.unmet(o); status != 0 {
			return status
		}
	}
	switch c.op {
	case "objects.rewrite", "objects.copy", "objects.move":
		cond = conditionsIn(c, "ifSource")
		if cond == (conditions{}) {
			return 0
		}
		o := e.stat(c.Context(), c.source(), c.URL.Query().Get("sourceGeneration"))
		if o == nil && e.options.GCS.AbsentIsNotFound {
			return 0
		}
		return cond.unmet(o)
	case "objects.compose":
		return e.unmetSource(c)
	}
	return 0
}

// unmetSource is unmetBy for the conditions on the sources of a compose request. That a
// source is not there is another law's.
func (e rule) unmetSource(c call) int {
	request, err := compositionOf(c)
	if err != nil {
		return 0
	}
	for _, source := range request.SourceObjects {
		cond := conditions{match: number(source.ObjectPreconditions.IfGenerationMatch)}
		if cond.match == nil {
			continue
		}
		o := e.stat(c.Context(), name{c.bucket, source.Name}, source.Generation)
		if o == nil {
			continue
		}
		if status := cond.unmet(o); status != 0 {
			return status
		}
	}
	return 0
}

func (e rule) refuseCondition(w http.ResponseWriter, c call, status int) {
	e.refuseGCS(w, c, status, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
}
