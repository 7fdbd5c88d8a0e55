package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/blobdock/blobdock/driver"
)

// Gap is a condition that the driver would make of a write, and the store does not honour.
type Gap struct {
	Condition string // such as "put-if-match"
	Ignored   bool   // the store carries the write out all the same
	Err       error  // what the store said instead, nil where it ignores the condition
}

func (g Gap) String() string {
	if g.Ignored {
		return g.Condition + " is ignored"
	}
	return fmt.Sprintf("%s is refused: %v", g.Condition, g.Err)
}

// Conditions finds out which conditions of writes the store honours, of those that b's
// driver makes, and lists the others. Some stores take a condition and ignore it, some
// refuse every conditional write, and some find that no ETag matches. An error, such as
// that writing is denied, says nothing about conditions.
//
// It makes up to 30 requests below Folder, and removes what they leave.
func Conditions(ctx context.Context, b driver.Bucket) (driver.Conds, []Gap, error) {
	p := newRun(b)
	defer p.tidy(ctx)
	return p.conditions(ctx)
}

func (p *run) conditions(ctx context.Context) (driver.Conds, []Gap, error) {
	honoured := p.features.Conds
	var gaps []Gap
	note := func(set *driver.CondSet, cond driver.CondSet, g *Gap) {
		if g != nil {
			*set &^= cond
			gaps = append(gaps, *g)
		}
	}
	for _, w := range p.conditionalWrites(&honoured) {
		if *w.set == driver.NoCond {
			continue
		}
		key := p.key("conditional/" + w.name)
		obj, gap, err := w.ifAbsent(ctx, key)
		if err != nil {
			return driver.Conds{}, nil, err
		}
		note(w.set, driver.CondIfAbsent, gap)
		if *w.set&driver.CondIfMatch != 0 {
			if gap, err = w.ifMatch(ctx, key, obj.ETag); err != nil {
				return driver.Conds{}, nil, err
			}
			note(w.set, driver.CondIfMatch, gap)
		}
	}
	if honoured.Delete != driver.NoCond {
		gap, err := p.deleteIfMatch(ctx)
		if err != nil {
			return driver.Conds{}, nil, err
		}
		note(&honoured.Delete, driver.CondIfMatch, gap)
	}
	return honoured, gaps, nil
}

// conditionalWrite is one way to write, and the conditions that the driver makes of it.
type conditionalWrite struct {
	name string
	set  *driver.CondSet
	do   func(ctx context.Context, key, text string, c driver.Cond) (driver.Object, error)
}

func (p *run) conditionalWrites(c *driver.Conds) []conditionalWrite {
	ways := []conditionalWrite{{"put", &c.Put, func(ctx context.Context, key, text string, c driver.Cond) (driver.Object, error) {
		return p.put(ctx, key, text, driver.WriteOptions{Cond: c})
	}}}
	if p.features.Uploads != nil {
		ways = append(ways, conditionalWrite{"complete", &c.Complete, p.putInParts})
	}
	if p.features.Copy != nil {
		ways = append(ways, conditionalWrite{"copy", &c.Copy, p.putByCopy})
	}
	return ways
}

// setupError is of a request that only makes ready for the conditional one.
type setupError struct{ error }

func (e *setupError) Unwrap() error { return e.error }

// putInParts writes an object as an upload of one part.
func (p *run) putInParts(ctx context.Context, key, text string, c driver.Cond) (driver.Object, error) {
	p.mark(key)
	u, err := p.features.Uploads.CreateUpload(ctx, key, driver.WriteOptions{})
	if err != nil {
		return driver.Object{}, &setupError{err}
	}
	part, err := p.features.Uploads.PutPart(ctx, u, 1, section(text))
	if err != nil {
		err = &setupError{err}
	}
	var obj driver.Object
	if err == nil {
		obj, err = p.features.Uploads.CompleteUpload(ctx, u, []driver.Part{part}, c)
	}
	if err != nil {
		_ = p.features.Uploads.AbortUpload(context.WithoutCancel(ctx), u)
	}
	return obj, err
}

// putByCopy writes an object as a copy of another.
func (p *run) putByCopy(ctx context.Context, key, text string, c driver.Cond) (driver.Object, error) {
	src := p.key("source/" + strconv.Itoa(len(text)))
	if !slices.Contains(p.made, src) {
		if _, err := p.put(ctx, src, text, driver.WriteOptions{}); err != nil {
			return driver.Object{}, &setupError{err}
		}
	}
	p.mark(key)
	return p.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: src}, Dst: key, Options: driver.WriteOptions{Cond: c}})
}

// ifAbsent writes an object, twice where the condition is one of w's, and returns it.
func (w conditionalWrite) ifAbsent(ctx context.Context, key string) (driver.Object, *Gap, error) {
	const name = "-if-absent"
	cond := driver.Cond{IfAbsent: *w.set&driver.CondIfAbsent != 0}
	obj, err := w.do(ctx, key, content, cond)
	switch {
	case inconclusive(err), err != nil && cond.IsZero():
		return obj, nil, err
	case cond.IsZero():
		return obj, nil, nil
	case err != nil:
		refused := &Gap{Condition: w.name + name, Err: err}
		obj, err = w.do(ctx, key, content, driver.Cond{})
		return obj, refused, err
	}
	again, err := w.do(ctx, key, content, cond)
	switch {
	case err == nil:
		return again, &Gap{Condition: w.name + name, Ignored: true}, nil
	case errors.Is(err, driver.Exists):
		return obj, nil, nil
	case inconclusive(err):
		return obj, nil, err
	}
	return obj, &Gap{Condition: w.name + name, Err: err}, nil
}

// ifMatch replaces the object with this ETag, and then tries to do so again.
func (w conditionalWrite) ifMatch(ctx context.Context, key, etag string) (*Gap, error) {
	c := driver.Cond{IfMatch: etag}
	_, err := w.do(ctx, key, content+"again", c)
	if err == nil {
		if _, err = w.do(ctx, key, content, c); errors.Is(err, driver.Mismatch) {
			return nil, nil
		}
	}
	return gapOf(w.name+"-if-match", err)
}

// deleteIfMatch names another ETag than that of the object, and then the right one.
func (p *run) deleteIfMatch(ctx context.Context) (*Gap, error) {
	const name = "delete-if-match"
	key := p.key("conditional/delete")
	old, err := p.put(ctx, key, content, driver.WriteOptions{})
	if err != nil {
		return nil, err
	}
	if old.Version != "" {
		return nil, nil // that is what a delete names, and every store with versions takes it
	}
	current, err := p.put(ctx, key, content+"again", driver.WriteOptions{})
	if err != nil {
		return nil, err
	}
	if err = p.bucket.Delete(ctx, key, driver.DeleteOptions{IfVersion: old.ETag}); !errors.Is(err, driver.Mismatch) {
		return gapOf(name, err)
	}
	if err = p.bucket.Delete(ctx, key, driver.DeleteOptions{IfVersion: current.ETag}); err != nil {
		return gapOf(name, err)
	}
	return nil, nil
}

// gapOf is the gap that err shows, which is nil where the condition was ignored.
func gapOf(name string, err error) (*Gap, error) {
	if inconclusive(err) {
		return nil, err
	}
	return &Gap{Condition: name, Ignored: err == nil, Err: err}, nil
}

// inconclusive reports whether err has other reasons than the condition.
func inconclusive(err error) bool {
	var setup *setupError
	return err != nil && (errors.As(err, &setup) || driver.KindOf(err).Temporary() || driver.IsContextError(err) ||
		errors.Is(err, driver.Denied) || errors.Is(err, driver.NoBucket))
}
