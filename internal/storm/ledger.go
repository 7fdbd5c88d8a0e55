package storm

import (
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Ledger is what clients have tried to do to names, such as tags, and what they were told. It is safe
// for concurrent use.
type Ledger struct {
	mu       sync.Mutex
	attempts map[string][]*Attempt
}

// Attempt is a client's try to change what a name refers to.
type Attempt struct {
	to         digest.Digest // "" deletes it,
	of         digest.Digest // if it is this; "" is anything
	start, end time.Time     // end is zero while it is under way
	acked      bool
}

// Start is when it began.
func (a *Attempt) Start() time.Time { return a.start }

// Begin notes a try to have names refer to the digest to, or with "" to delete them, if they refer to of.
func (l *Ledger) Begin(to, of digest.Digest, names ...string) *Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempts == nil {
		l.attempts = make(map[string][]*Attempt)
	}
	a := &Attempt{to: to, of: of, start: time.Now()}
	for _, n := range names {
		l.attempts[n] = append(l.attempts[n], a)
	}
	return a
}

// End notes how it ended.
func (l *Ledger) End(a *Attempt, acked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.end, a.acked = time.Now(), acked
}

// overlaps reports whether a may have had its effect at or after a time.
func (a *Attempt) overlaps(t time.Time) bool { return a.end.IsZero() || !a.end.Before(t) }

// Kept reports whether a name must refer to d, as it was acknowledged and nothing has been done since,
// and since when.
func (l *Ledger) Kept(name string, d digest.Digest) (since time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.attempts[name] {
		if w.to != d || !w.acked {
			continue
		}
		undone := slices.ContainsFunc(l.attempts[name], func(x *Attempt) bool {
			return x.to != d && x.overlaps(w.start) && (x.of == "" || x.of == d || !x.start.After(w.end))
		})
		if !undone {
			return w.start, true
		}
	}
	return since, false
}

// Deleted reports whether a client may have deleted what a name refers to since a time.
func (l *Ledger) Deleted(name string, since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.attempts[name], func(x *Attempt) bool { return x.to == "" && x.overlaps(since) })
}

// Unsure reports whether some push to a name was not acknowledged: it may have left half of it.
func (l *Ledger) Unsure(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.attempts[name], func(x *Attempt) bool { return x.to != "" && !x.acked })
}
