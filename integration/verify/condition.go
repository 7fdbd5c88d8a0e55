package verify

import (
	"context"
	"fmt"
	"net/http"

	"github.com/blobdock/blobdock/driver"
)

// write is a way to write text to a key under a condition. It neither checks beforehand
// whether the store honours the condition, nor repeats what fails.
type write struct {
	name  string // as in "if-match-put"
	verb  string // as the store calls it
	conds driver.CondSet
	do    func(ctx context.Context, key, text string, c driver.Cond) reply
}

// questions ask what the write makes of the two conditions.
func (w write) questions(a *asker) []question {
	assumed := func(c driver.Cond) string {
		if w.conds.Allows(c) {
			return honoured
		}
		return ""
	}
	return []question{
		{
			name: "if-none-match-" + w.name, asks: fmt.Sprintf("What does If-None-Match: * do on %s?", w.verb),
			assumes: assumed(driver.Cond{IfAbsent: true}),
			ask:     func(ctx context.Context, key string) (finding, error) { return w.ifAbsent(ctx, a, key) },
		},
		{
			name: "if-match-" + w.name, asks: fmt.Sprintf("What does If-Match do on %s?", w.verb),
			assumes: assumed(driver.Cond{IfMatch: "any"}),
			ask:     func(ctx context.Context, key string) (finding, error) { return w.ifMatch(ctx, a, key) },
		},
	}
}

func (w write) ifAbsent(ctx context.Context, a *asker, key string) (finding, error) {
	taken := key + "/taken"
	if _, err := a.put(ctx, taken, "old"); err != nil {
		return finding{}, err
	}
	absent := driver.Cond{IfAbsent: true}
	return judge(condition{
		fails: w.do(ctx, taken, "new", absent),
		holds: func() reply { return w.do(ctx, key+"/free", "new", absent) },
		kept:  func() (bool, error) { text, err := a.content(ctx, taken); return text == "old", err },
	})
}

func (w write) ifMatch(ctx context.Context, a *asker, key string) (finding, error) {
	key += "/object"
	first, err := a.put(ctx, key, "first")
	if err != nil {
		return finding{}, err
	}
	second, err := a.put(ctx, key, "second")
	if err != nil {
		return finding{}, err
	}
	return judge(condition{
		fails: w.do(ctx, key, "third", driver.Cond{IfMatch: first.ETag}),
		holds: func() reply { return w.do(ctx, key, "third", driver.Cond{IfMatch: second.ETag}) },
		kept:  func() (bool, error) { text, err := a.content(ctx, key); return text == "second", err },
	})
}

// condition is a condition that was tried.
type condition struct {
	fails reply                // to a request whose condition does not hold
	kept  func() (bool, error) // whether the object is as it was before that
	holds func() reply         // sends a request whose condition holds
}

// judge tells from the replies what a store makes of a condition.
func judge(c condition) (finding, error) {
	kept, err := c.kept()
	if err != nil {
		return finding{}, err
	}
	f := finding{status: c.fails.status, code: c.fails.code}
	switch {
	case c.fails.err == nil && kept:
		f.found = "ignored, and nothing was written"
		return f, nil
	case c.fails.err == nil:
		f.found = ignored
		return f, nil
	case !c.fails.refused():
		return finding{}, c.fails.failure()
	case !kept:
		f.found, f.detail = "refused too late", "the write took effect all the same"
		return f, nil
	}
	switch holds := c.holds(); {
	case holds.err == nil:
		f.found = honoured
	case !holds.refused():
		return finding{}, holds.failure()
	case unmet(c.fails.status) && unmet(holds.status):
		f.found, f.detail = "never met", fmt.Sprintf("a condition that holds: %v", holds)
	default:
		f.found = refused
	}
	return f, nil
}

// unmet reports whether a status says that a condition does not hold.
func unmet(status int) bool {
	return status == http.StatusPreconditionFailed || status == http.StatusConflict || status == http.StatusNotModified
}

// driverWrites are the conditional writes of the driver's contract.
func (a *asker) driverWrites() []write {
	ways := []write{
		{"put", "a Put", a.features.Conds.Put, func(ctx context.Context, key, text string, c driver.Cond) reply {
			return a.ask(ctx, func(ctx context.Context) error {
				_, err := a.Put(ctx, key, section([]byte(text)), driver.WriteOptions{Cond: c})
				return err
			})
		}},
	}
	if a.features.Uploads != nil {
		ways = append(ways, write{"complete", "the completion of an upload", a.features.Conds.Complete, func(ctx context.Context, key, text string, c driver.Cond) reply {
			u, parts, err := a.upload(ctx, key, []byte(text))
			if err != nil {
				return replyOf(err)
			}
			r := a.ask(ctx, func(ctx context.Context) error {
				_, err := a.features.Uploads.CompleteUpload(ctx, u, parts, c)
				return err
			})
			if r.err != nil {
				_ = a.features.Uploads.AbortUpload(ctx, u) // the run's end finds what stays
			}
			return r
		}})
	}
	if a.features.Concat != nil {
		ways = append(ways, write{"concat", "a concatenation", a.features.Conds.Concat, func(ctx context.Context, key, text string, c driver.Cond) reply {
			source, err := a.put(ctx, key+"-source", text)
			if err != nil {
				return replyOf(err)
			}
			return a.ask(ctx, func(ctx context.Context) error {
				_, err := a.features.Concat(ctx, driver.ConcatRequest{Key: key, Sources: []driver.Object{source}, Options: driver.WriteOptions{Cond: c}})
				return err
			})
		}})
	}
	if a.features.Copy != nil {
		ways = append(ways, write{"copy", "a copy", a.features.Conds.Copy, func(ctx context.Context, key, text string, c driver.Cond) reply {
			source := key + "-source"
			if _, err := a.put(ctx, source, text); err != nil {
				return replyOf(err)
			}
			return a.ask(ctx, func(ctx context.Context) error {
				_, err := a.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: source}, Dst: key, Options: driver.WriteOptions{Cond: c}})
				return err
			})
		}})
	}
	return ways
}

// deleteIf is the question on a deletion that names the version it is for. send deletes
// the object at a key if its ETag is etag.
func (a *asker) deleteIf(asks, assumes string, send func(ctx context.Context, key, etag string) reply) question {
	return question{name: "delete-if-match", asks: asks, assumes: assumes, ask: func(ctx context.Context, key string) (finding, error) {
		key += "/object"
		first, err := a.put(ctx, key, "first")
		if err != nil {
			return finding{}, err
		}
		second, err := a.put(ctx, key, "second")
		if err != nil {
			return finding{}, err
		}
		return judge(condition{
			fails: send(ctx, key, first.ETag),
			holds: func() reply { return send(ctx, key, second.ETag) },
			kept:  func() (bool, error) { text, err := a.content(ctx, key); return text == "second", err },
		})
	}}
}
