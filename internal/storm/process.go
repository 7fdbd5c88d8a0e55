package storm

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

// Weather is how badly the store and the machines behave: the share of calls that it happens to.
type Weather struct{ Pause, Fail, Lose, Kill float64 }

// Call is one call of the store, for the history of a simulation that fails.
type Call struct {
	At      time.Time
	Process string
	Op      driver.Op
	Key     string
	What    string // that was done to it
	Err     error
}

// Process is one on a bucket, until it is killed. It is for a bubble of testing/synctest.
type Process struct {
	Name string
	Seed uint64
	Slow time.Duration // that a call takes longer, at the most
	// Longest is how long a pause takes at the most.
	Longest time.Duration
	// Weather is that of a call.
	Weather func(driver.Op) Weather
	// Before is called with each call, if it is not nil.
	Before func(*driver.Call)
	// Note is called after each call, perhaps by several at the same time.
	Note func(Call)
	// OnKill is called when the process is killed.
	OnKill func()

	dead  atomic.Bool
	hits  atomic.Int64 // calls of no request that something was done to
	stuck atomic.Int64 // calls that are paused

	mu    sync.Mutex
	calls map[string]int // of each kind, by key
}

// Request is what a client asks of a process.
type Request struct {
	of   *Process
	hit  atomic.Bool
	hits int64 // of the process, before
}

type requestKey struct{}

// Ask is the context of a new request.
func (p *Process) Ask(ctx context.Context) (context.Context, *Request) {
	q := &Request{of: p, hits: p.hits.Load()}
	return context.WithValue(ctx, requestKey{}, q), q
}

// Hit reports, when a request has ended, whether something was done to it, or to what it may have waited for.
func (q *Request) Hit() bool {
	p := q.of
	return q.hit.Load() || p.hits.Load() != q.hits || p.stuck.Load() > 0 || p.dead.Load()
}

// Hits is how many calls something was done to that belong to no request.
func (p *Process) Hits() int64 { return p.hits.Load() }

// Dead reports whether the process was killed.
func (p *Process) Dead() bool { return p.dead.Load() }

// Kill ends the process: all its calls of the store fail.
func (p *Process) Kill() {
	if !p.dead.Swap(true) && p.OnKill != nil {
		p.OnKill()
	}
}

// Bucket is raw as the process has it.
func (p *Process) Bucket(raw driver.Bucket) driver.Bucket { return driver.Wrap(raw, p.around) }

var (
	errKilled   = errors.New("the process was killed")
	errInjected = errors.New("injected")
)

// stable is a key without what is random in it, so that a seed does the same again.
func stable(key string) string {
	if strings.Contains(key, "/_gc/") && !strings.HasSuffix(key, "/") {
		return path.Dir(key)
	}
	before, _, _ := strings.Cut(key, "/_uploads/")
	return before
}

// dice are the random numbers of one call. They depend on nothing that runs at the same time.
func (p *Process) dice(c *driver.Call) func() float64 {
	kind := string(c.Op) + " " + stable(c.Key)
	p.mu.Lock()
	if p.calls == nil {
		p.calls = make(map[string]int)
	}
	p.calls[kind]++
	n := p.calls[kind]
	p.mu.Unlock()
	h := fnv.New64a()
	_, _ = io.WriteString(h, p.Name+kind) // can't fail
	x := h.Sum64() ^ p.Seed<<32 ^ uint64(n)
	return func() float64 {
		x += 0x9e3779b97f4a7c15 // splitmix64
		z := (x ^ x>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return float64((z^z>>31)>>11) / (1 << 53)
	}
}

// around has a call take its time, alone: no two reach the store at the same moment, so that a seed
// has one order. Most take about a second.
func (p *Process) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	roll := p.dice(c)
	if p.Before != nil {
		p.Before(c)
	}
	now := time.Now()
	time.Sleep(now.Truncate(time.Second).Add(time.Second + time.Duration(1e8+roll()*8e8)).Sub(now))
	time.Sleep(time.Duration(roll() * float64(p.Slow)))
	if p.Dead() {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, Err: errKilled}
	}
	did := ""
	hit := func(what string) {
		did += what + " "
		if q, ok := ctx.Value(requestKey{}).(*Request); ok {
			q.hit.Store(true)
		} else {
			p.hits.Add(1)
		}
	}
	pause := func(when string) {
		d := time.Duration(roll() * roll() * roll() * float64(p.Longest))
		hit(fmt.Sprintf("paused %s %v", when, d.Round(time.Second)))
		p.stuck.Add(1) // requests may wait for the same
		time.Sleep(d)
		p.stuck.Add(-1)
		hit("until now")
	}
	note := func(err error) { p.Note(Call{time.Now(), p.Name, c.Op, c.Key, did, err}) }
	fail := func(unknown bool) error {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: unknown && c.Op.Changes(), Err: errInjected}
	}
	w := p.Weather(c.Op)
	sent := ctx
	if roll() < w.Pause {
		pause("before")
		if roll() < 0.5 {
			sent = context.WithoutCancel(ctx) // the request was on its way
		}
	}
	killed := roll() < w.Kill
	if killed && roll() < 0.5 || roll() < w.Fail {
		hit("failed")
		note(nil)
		if killed {
			p.Kill()
		}
		return fail(roll() < 0.5)
	}
	err := next(sent)
	note(err)
	did = ""
	if killed {
		hit("killed")
		p.Kill()
		return fail(true)
	}
	if err == nil && roll() < w.Lose {
		hit("lost the reply")
		err = fail(true)
	}
	if roll() < w.Pause {
		pause("after")
		if err == nil && ctx.Err() != nil {
			err = driver.NewError(c.Op, c.Key, ctx.Err())
		}
	}
	if did != "" {
		did = "afterwards " + did
		note(err)
	}
	return err
}
