package laws

import (
	"encoding/json"
	"net/http"
)

// readIf answers a read. The conditions are held against what the store answers: it may
// have changed since a look at it.
func (e rule) readIf(w http.ResponseWriter, c call, cond conditions, next handler) {
	if c.op == "objects.get" && c.URL.Query().Get("alt") != "media" {
		rec := ask(c, next)
		o := new(stored)
		switch {
		case rec.Code == http.StatusNotFound && !e.options.GCS.AbsentIsNotFound:
			o = nil
		case rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), o) != nil:
			reply(w, rec, nil)
			return
		}
		if status := cond.unmet(o); status != 0 {
			e.refuseCondition(w, c, status)
			return
		}
		reply(w, rec, nil)
		return
	}
	next(&checked{ResponseWriter: w, refuse: func(status int, h http.Header) bool {
		var o *stored
		switch generation := number(h.Get("X-Goog-Generation")); {
		case generation != nil:
			o = &stored{Generation: *generation, Metageneration: 1}
		case status != http.StatusNotFound || e.options.GCS.AbsentIsNotFound:
			return false
		}
		unmet := cond.unmet(o)
		if unmet == 0 {
			return false
		}
		clear(h)
		e.refuseCondition(w, c, unmet)
		return true
	}}, c)
}

// checked looks at the header of an answer before it is written. Where refuse has
// answered instead, nothing of the answer goes out.
type checked struct {
	http.ResponseWriter
	refuse            func(status int, h http.Header) bool
	decided, replaced bool
}

func (k *checked) WriteHeader(status int) {
	if !k.decided && status >= http.StatusOK {
		k.decided = true
		k.replaced = k.refuse(status, k.Header())
	}
	if !k.replaced {
		k.ResponseWriter.WriteHeader(status)
	}
}

func (k *checked) Write(b []byte) (int, error) {
	if !k.decided {
		k.WriteHeader(http.StatusOK)
	}
	if k.replaced {
		return len(b), nil
	}
	return k.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (k *checked) Unwrap() http.ResponseWriter { return k.ResponseWriter }
