package tombstone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// DefaultWait is G', the time between the condemnation of an object and its deletion.
const DefaultWait = time.Hour

const (
	// listEvery is how often a process lists the tombstones at most.
	listEvery = time.Minute
	// listTime bounds one listing.
	listTime = time.Minute
	// rounds bounds how often tombstones of one digest are read, because somebody else has changed
	// them.
	rounds = 20
	// parallel is how many of them are read at the same time.
	parallel = 8
)

// Watch knows which digests have tombstones, for one process. It lists them when somebody asks,
// at most once a minute.
type Watch struct {
	bucket driver.Bucket
	layout layout.Layout
	log    *slog.Logger
	wait   time.Duration
	// unused is that no collector can have run: it needs conditional writes.
	unused bool

	listing singleflight.Group
	ctx     context.Context // of listings, which several wait for
	stop    context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	last *list // nil before the first
}

type list struct {
	t0      time.Time // before the request
	digests map[digest.Digest]bool
}

// NewWatch makes the Watch of a bucket whose collectors wait for at least wait.
func NewWatch(b driver.Bucket, l layout.Layout, wait time.Duration, log *slog.Logger) *Watch {
	w := &Watch{bucket: b, layout: l, log: log, wait: wait, unused: b.Features().Conds.Put != driver.AllConds}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// Close ends what the Watch has under way.
func (w *Watch) Close() {
	w.stop()
	w.running.Wait()
}

// idle reports whether there can be no tombstones. There are none for a nil Watch.
func (w *Watch) idle() bool { return w == nil || w.unused }

// Wait is G'.
func (w *Watch) Wait() time.Duration { return w.wait }

// fresh is S, how old knowledge of tombstones may be when a promise is made on it: five minutes
// of an hour.
func (w *Watch) fresh() time.Duration { return w.wait / 12 }

// bound is how long a promise holds, and how long a manifest PUT may take: S and this are less
// than G', with a margin for clocks that run at different speeds.
func (w *Watch) bound() time.Duration { return w.wait * 3 / 4 }

// Sight is what was known of tombstones when somebody looked for an object.
type Sight struct {
	T0    time.Time // before the request that told
	dying []Stored
}

// Dying reports whether something is being deleted.
func (s Sight) Dying() bool { return len(s.dying) > 0 }

// And is what was known of two digests, since both times.
func (s Sight) And(other Sight) Sight {
	if other.T0.Before(s.T0) {
		s.T0 = other.T0
	}
	s.dying = slices.Concat(s.dying, other.dying)
	return s
}

// Hides reports whether o counts as absent, since it is being deleted.
func (s Sight) Hides(o driver.Object) bool {
	for _, t := range s.dying {
		if t.Names(o) {
			return true
		}
	}
	return false
}

// Stale reports whether what was known at t0 is too old to promise on it that something stays.
// The zero time is.
func (w *Watch) Stale(t0 time.Time) bool { return w.older(t0, (*Watch).fresh) }

// Expired reports whether what was known at t0 is too old for a reference that has been written
// since. The zero time is.
func (w *Watch) Expired(t0 time.Time) bool { return w.older(t0, (*Watch).bound) }

func (w *Watch) older(t0 time.Time, than func(*Watch) time.Duration) bool {
	if w.idle() {
		return false
	}
	// One clock stands still while a machine is suspended (the monotonic one), the other is set.
	now := time.Now()
	return t0.IsZero() || max(now.Sub(t0), now.Round(0).Sub(t0.Round(0))) > than(w)
}

// Peek is Read without a request. Its T0 is zero where the last list tells nothing of d.
func (w *Watch) Peek(d digest.Digest) Sight {
	if w.idle() {
		return Sight{T0: time.Now()}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil || w.Stale(w.last.t0) || w.last.digests[d] {
		return Sight{}
	}
	return Sight{T0: w.last.t0}
}

// Known has Peek and Read know a list that is not old. It sends a request when there is none, and
// tells no failure: then they know nothing.
func (w *Watch) Known(ctx context.Context) {
	if !w.idle() {
		_, _ = w.current(ctx)
	}
}

// Look is a list that was made for one purpose, see [Watch.Anew].
type Look struct {
	watch *Watch
	list  *list

	mu    sync.Mutex
	sight map[digest.Digest]Sight
}

// Anew lists all tombstones now, to look for what is then known to stay since T0.
func (w *Watch) Anew(ctx context.Context) (*Look, error) {
	l := &Look{watch: w, list: &list{t0: time.Now()}, sight: make(map[digest.Digest]Sight)}
	if w.idle() {
		return l, nil
	}
	var err error
	l.list, err = w.await(ctx, w.renew())
	return l, err
}

// T0 is the time before the list.
func (l *Look) T0() time.Time { return l.list.t0 }

// At is Read of what was listed, once for each digest.
func (l *Look) At(ctx context.Context, d digest.Digest) (Sight, error) {
	if !l.list.digests[d] {
		return Sight{T0: l.list.t0}, nil
	}
	l.mu.Lock()
	s, ok := l.sight[d]
	l.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := l.watch.ReadNow(ctx, d)
	if err != nil {
		return Sight{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sight[d] = s
	return s, nil
}

// current is a list that is not old. One that is a minute old is renewed in the background.
func (w *Watch) current(ctx context.Context) (*list, error) {
	w.mu.Lock()
	l := w.last
	w.mu.Unlock()
	switch {
	case l == nil || w.Stale(l.t0):
	case time.Since(l.t0) > min(listEvery, w.fresh()/2):
		w.renew()
		return l, nil
	default:
		return l, nil
	}
	return w.await(ctx, w.renew())
}

func (w *Watch) await(ctx context.Context, renewal <-chan singleflight.Result) (*list, error) {
	select {
	case r := <-renewal:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*list), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("tombstones: %w", ctx.Err())
	}
}

func (w *Watch) renew() <-chan singleflight.Result {
	w.running.Add(1)
	done := w.listing.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(w.ctx, listTime)
		defer cancel()
		t0 := time.Now()
		digests, err := Digests(ctx, w.bucket, w.layout)
		if err != nil {
			w.log.DebugContext(ctx, "tombstones can't be listed", "cause", err)
			return nil, err
		}
		l := &list{t0, digests}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last = l
		return l, nil
	})
	out := make(chan singleflight.Result, 1)
	go func() {
		defer w.running.Done()
		out <- <-done
	}()
	return out
}

// Read tells what is being deleted of the objects whose keys have the digest d, having rescued all
// that are condemned. It costs no request where the last list has none of d.
func (w *Watch) Read(ctx context.Context, d digest.Digest) (Sight, error) {
	if w.idle() {
		return Sight{T0: time.Now()}, nil
	}
	w.Known(ctx)
	if s := w.Peek(d); !s.T0.IsZero() {
		return s, nil
	}
	return w.ReadNow(ctx, d)
}

// ReadNow is Read that asks the store in any case.
func (w *Watch) ReadNow(ctx context.Context, d digest.Digest) (Sight, error) {
	for range rounds {
		s := Sight{T0: time.Now()}
		all, err := ReadAll(ctx, w.bucket, w.layout, w.layout.Tombstones(d), parallel)
		if err != nil {
			return Sight{}, err
		}
		lost := false
		for i := range all {
			t := &all[i]
			switch t.State {
			case Condemned:
				err := t.Change(ctx, w.bucket, func(t *Tombstone) { t.State = Rescued })
				if lost = lost || Changed(err); err != nil && !Changed(err) {
					return Sight{}, err
				}
			case Deleting:
				s.dying = append(s.dying, *t)
			case Rescued, Done:
			}
		}
		if !lost {
			return s, nil
		}
	}
	return Sight{}, fmt.Errorf("tombstones of %s change all the time: %w", d, driver.Unavailable)
}

// Changed reports whether somebody else has changed a tombstone, and goes on with it.
func Changed(err error) bool {
	return errors.Is(err, driver.Mismatch) || errors.Is(err, driver.NotFound)
}

// Clear is Read for who is about to put objects whose keys have the digest d: it waits until none
// of them is being deleted.
func (w *Watch) Clear(ctx context.Context, d digest.Digest) (Sight, error) {
	s, err := w.Read(ctx, d)
	for round := 0; err == nil && len(s.dying) > 0; round++ {
		if round == rounds {
			return Sight{}, fmt.Errorf("%s is being deleted: %w", d, driver.Unavailable)
		}
		for i := range s.dying {
			if err := s.dying[i].Await(ctx, w.bucket); err != nil && !Changed(err) {
				return Sight{}, err
			}
		}
		s, err = w.ReadNow(ctx, d)
	}
	return s, err
}
