package gc_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// storm is how badly the store and the machines behave: the share of calls that it happens to.
type storm struct{ pause, fail, lose, kill float64 }

// call is a store call, for the history of a seed that fails.
type call struct {
	at    time.Time
	actor string
	op    driver.Op
	key   string
	what  string // that was done to it
	err   error
}

// actor is a process on the bucket: a replica or a collector, until it is killed.
type actor struct {
	sim      *sim
	name     string
	collects bool
	slow     time.Duration // that a call takes longer, at the most
	dead     atomic.Bool
	hit      atomic.Int64 // calls of none of its requests that something was done to
	stuck    atomic.Int64 // calls that are paused
	onKill   func()

	mu    sync.Mutex
	calls map[string]int // of each kind, by key
}

// request is what a client asks of an actor.
type request struct{ hit atomic.Bool }

type requestOf struct{}

var errKilled = errors.New("the process was killed")

func (s *sim) newActor(name string) *actor {
	return &actor{sim: s, name: name, calls: make(map[string]int), onKill: func() {}}
}

func (a *actor) bucket() driver.Bucket { return driver.Wrap(a.sim.raw, a.around) }

// stable is a key without what is random in it, so that a seed does the same again.
func stable(key string) string {
	if strings.Contains(key, "/_gc/") && !strings.HasSuffix(key, "/") {
		return path.Dir(key)
	}
	before, _, _ := strings.Cut(key, "/_uploads/")
	return before
}

// dice are the random numbers of one call. They depend on nothing that runs at the same time.
func (a *actor) dice(c *driver.Call) func() float64 {
	kind := string(c.Op) + " " + stable(c.Key)
	a.mu.Lock()
	a.calls[kind]++
	n := a.calls[kind]
	a.mu.Unlock()
	h := fnv.New64a()
	_, _ = io.WriteString(h, a.name+kind) // can't fail
	x := h.Sum64() ^ a.sim.seed<<32 ^ uint64(n)
	return func() float64 {
		x += 0x9e3779b97f4a7c15 // splitmix64
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return float64((z^z>>31)>>11) / (1 << 53)
	}
}

// around has a call take its time, alone: no two reach the store at the same moment, so that a seed
// has one order. Most take about a second.
func (a *actor) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	s, roll := a.sim, a.dice(c)
	// Before it condemns and before it deletes, a collector looks.
	if name, ok := keys.Parse(c.Key); ok && a.collects && c.Op == driver.OpStat {
		select {
		case s.doomed <- name.Digest:
		default: // nobody waits for that
		}
	}
	now := time.Now()
	time.Sleep(now.Truncate(time.Second).Add(time.Second + time.Duration(1e8+roll()*8e8)).Sub(now))
	time.Sleep(time.Duration(roll() * float64(a.slow)))
	if a.dead.Load() {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, Err: errKilled}
	}
	did := ""
	hit := func(what string) {
		did += what + " "
		if r, ok := ctx.Value(requestOf{}).(*request); ok {
			r.hit.Store(true)
		} else {
			a.hit.Add(1)
		}
	}
	pause := func(when string) {
		d := time.Duration(roll() * roll() * roll() * 4 * float64(s.wait))
		hit(fmt.Sprintf("paused %s %v", when, d.Round(time.Second)))
		a.stuck.Add(1) // requests may wait for the same
		time.Sleep(d)
		a.stuck.Add(-1)
		hit("until now")
	}
	fail := func(unknown bool) error {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: unknown && c.Op.Changes(), Err: errors.New("injected")}
	}
	st := s.weather()
	if a.collects && c.Op.Changes() { // there it may matter most
		st = storm{5 * st.pause, 2 * st.fail, 5 * st.lose, 5 * st.kill}
	}
	sent := ctx
	if roll() < st.pause {
		pause("before")
		if roll() < 0.5 {
			sent = context.WithoutCancel(ctx) // the request was on its way
		}
	}
	killed := roll() < st.kill
	if killed && roll() < 0.5 || roll() < st.fail {
		hit("failed")
		a.sim.note(call{time.Now(), a.name, c.Op, c.Key, did, nil})
		if killed {
			a.kill()
		}
		return fail(roll() < 0.5)
	}
	err := next(sent)
	s.note(call{time.Now(), a.name, c.Op, c.Key, did, err})
	did = ""
	if killed {
		hit("killed")
		a.kill()
		return fail(true)
	}
	if err == nil && roll() < st.lose {
		hit("lost the reply")
		err = fail(true)
	}
	if roll() < st.pause {
		pause("after")
		if err == nil && ctx.Err() != nil {
			err = driver.NewError(c.Op, c.Key, ctx.Err())
		}
	}
	if did != "" {
		s.note(call{time.Now(), a.name, c.Op, c.Key, "afterwards " + did, err})
	}
	return err
}

func (a *actor) kill() {
	if !a.dead.Swap(true) {
		a.onKill()
	}
}
