package laws

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/wire"
)

// Enforcer stands before one store and enforces laws.
type Enforcer struct {
	options Options
	laws    []Law
	logf    func(format string, args ...any)

	// The store itself, for requests of the laws' own: the one that the proxy is for.
	s3       emulator.S3
	s3Client *s3.Client
	gcs      emulator.GCS
	azure    emulator.Azure

	classes *classBook // of S3's objects

	mu       sync.Mutex
	refusals []Refusal
	bytes    map[string]int64 // by law
	faults   map[string]*faultState

	onGCS gcsState
}

// Refusal is a request that a law refused or let fail.
type Refusal struct {
	Law    string
	Op     string // as package wire names it
	Key    string
	Status int
	Code   string // the store's error code
}

func (r Refusal) String() string {
	return fmt.Sprintf("law %s: %s %q: %d %s", r.Law, r.Op, r.Key, r.Status, r.Code)
}

// faultState counts the requests that a law has looked at.
type faultState struct {
	total  int
	keys   map[string]int
	began  time.Time
	since  map[string]time.Time // when the first request came, by key
	random *rand.Rand
}

func newEnforcer(o Options, laws []Law, logf func(string, ...any)) *Enforcer {
	return &Enforcer{options: o, laws: laws, logf: logf, bytes: make(map[string]int64), faults: make(map[string]*faultState)}
}

// around builds the chain of laws, and returns what a proxy puts around each request.
// describe names what a request does. outer and inner stand around all laws and behind
// them; nil is nothing.
func (e *Enforcer) around(describe func(*http.Request) call, outer, inner func(handler) handler) wire.Interceptor {
	type storeKey struct{}
	h := handler(func(w http.ResponseWriter, c call) {
		store, _ := c.Context().Value(storeKey{}).(http.Handler)
		store.ServeHTTP(w, c.Request)
	})
	if inner != nil {
		h = inner(h)
	}
	for _, l := range slices.Backward(e.laws) {
		enforce, next := l.enforce(rule{e, l.Name}), h
		h = func(w http.ResponseWriter, c call) { enforce(w, c, next) }
	}
	if outer != nil {
		h = outer(h)
	}
	return func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		h(w, describe(r.WithContext(context.WithValue(r.Context(), storeKey{}, store))))
	}
}

// Refusals lists what was refused so far.
func (e *Enforcer) Refusals() []Refusal {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.refusals)
}

// Refused is the number of requests that one law refused or let fail.
func (e *Enforcer) Refused(law string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, r := range e.refusals {
		if r.Law == law {
			n++
		}
	}
	return n
}

// Bytes is what a law that accounts has counted, in bytes.
func (e *Enforcer) Bytes(law string) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bytes[law]
}

// account adds to the bytes that the law counts.
func (e rule) account(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes[e.law] += n
}

// record notes that the law refuses c.
func (e rule) record(c call, status int, code string) {
	r := Refusal{e.law, c.op, c.key, status, code}
	e.mu.Lock()
	e.refusals = append(e.refusals, r)
	e.mu.Unlock()
	e.logf("%v", r)
}

// strikes reports whether the law, of kind Fault, lets c fail.
func (e rule) strikes(c call) bool {
	law, key := e.law, c.key
	f, ok := e.options.Faults[law]
	if !ok || len(f.Ops) > 0 && !slices.Contains(f.Ops, c.op) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.faults[law]
	if s == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(law))
		s = &faultState{keys: make(map[string]int), since: make(map[string]time.Time), began: time.Now(), random: rand.New(rand.NewPCG(e.options.Seed, h.Sum64()))}
		e.faults[law] = s
	}
	s.total++
	s.keys[key]++
	if _, ok := s.since[key]; !ok {
		s.since[key] = time.Now()
	}
	if s.total <= f.Total || s.keys[key] <= f.First || f.outage(s.began, s.since[key]) {
		return true
	}
	return s.random.Float64() < f.Rate
}

// outage reports whether For strikes now. began is when the first request came, since when
// the first one to the key did.
func (f Faults) outage(began, since time.Time) bool {
	if f.Every > 0 {
		return time.Since(began)%f.Every >= f.Every-f.For
	}
	return time.Since(since) < f.For
}

// logTo logs to tb until tb's test ends: a request may come later.
func logTo(tb testing.TB) func(string, ...any) {
	var mu sync.Mutex
	ended := false
	tb.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
	})
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			tb.Logf(format, args...)
		}
	}
}
