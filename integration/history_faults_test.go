//go:build unix

package integration_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// historyReplica is one of the processes that serve a bucket, and its own way to the store.
type historyReplica struct {
	slot   int
	launch func() *process

	mu      sync.Mutex
	running *process
	process int // which of all processes it is
	way     wayToStore
	changes int // of way
	lossy   map[string]bool
	into    *history
}

// wayToStore is how the network between a replica and the store is.
type wayToStore int

const (
	joined wayToStore = iota
	cutOff            // no request comes to the store, and no reply back
	losing            // writes come to the store, but for the first of each path no reply comes back
)

// storeDelay bounds the time that a request takes to the store, which is random.
const storeDelay = 15 * time.Millisecond

// at is where the replica is, and which process.
func (r *historyReplica) at() (url string, process int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running.url, r.process
}

func (r *historyReplica) begin(process int) {
	p := r.launch()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.process = p, process
}

func (r *historyReplica) set(way wayToStore) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.way, r.lossy = way, make(map[string]bool)
	r.changes++
}

// sent is which process sends a request to the store. It is false where the request does not get
// there.
func (r *historyReplica) sent() (process int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process, r.way != cutOff
}

// loses reports whether the reply to req does not get to the replica, and after which change.
func (r *historyReplica) loses(req *http.Request) (lost bool, change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost = r.way == cutOff
	if r.way == losing && !reads(req) {
		at := req.Method + req.URL.Path
		lost, r.lossy[at] = !r.lossy[at], true
	}
	return lost, r.changes
}

func reads(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

// between stands between the replica and the store. A request that has come to the store is
// carried out, whatever becomes of the replica.
func (r *historyReplica) between(w http.ResponseWriter, req *http.Request, next http.Handler) {
	process, _ := r.sent()
	time.Sleep(rand.N(storeDelay))
	if _, ok := r.sent(); !ok {
		panic(http.ErrAbortHandler)
	}
	at, reply := r.into.now(), httptest.NewRecorder()
	next.ServeHTTP(reply, req.WithContext(context.WithoutCancel(req.Context())))
	lost, change := r.loses(req)
	gone := req.Context().Err() != nil
	if !reads(req) && (lost || gone || reply.Code >= 500) {
		r.into.lose(lostReply{process, at, change, gone})
	}
	if lost {
		panic(http.ErrAbortHandler)
	}
	for name, values := range reply.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(reply.Code)
	_, _ = w.Write(reply.Body.Bytes())
}

// newReplicas starts n replicas on a bucket.
func newReplicas(t *testing.T, store cloud, bucket string, n int, options string, into *history) []*historyReplica {
	t.Helper()
	all := make([]*historyReplica, n)
	var wg sync.WaitGroup
	for i := range all {
		r := &historyReplica{slot: i, into: into}
		c, proxy := store.through(t)
		proxy.Intercept(r.between)
		env, config := store.env(t), byFile(t, c.bare(bucket)+options)
		r.launch = func() *process { return serving(t, env, config) }
		wg.Go(func() { r.begin(i) })
		all[i] = r
	}
	wg.Wait()
	for _, r := range all {
		if r.running == nil {
			t.FailNow() // serving has told why
		}
	}
	return all
}

// nemesis does harm to replicas, one fault after the other.
type nemesis struct {
	t        *testing.T
	replicas []*historyReplica
	random   *rand.Rand
	into     *history
	started  int // processes
	counts   map[string]int
}

// run goes on until each fault was done once, and over says so.
func (n *nemesis) run(over func() bool) {
	faults := []struct {
		name string
		do   func(r *historyReplica)
	}{{"kill", n.kill}, {"cut", n.cut}, {"lost replies", n.lose}, {"pause", n.pause}, {"outage", n.outage}}
	var order []int
	for !n.t.Failed() && (len(n.counts) < len(faults) || !over()) {
		if len(order) == 0 {
			order = n.random.Perm(len(faults))
		}
		f := faults[order[0]]
		order = order[1:]
		n.wait(100, 500)
		r := n.replicas[n.random.IntN(len(n.replicas))]
		from := n.into.now()
		f.do(r)
		n.into.fault(faultWindow{r.slot, f.name, from, n.into.now()})
		n.counts[f.name]++
	}
}

// wait waits for a random time of milliseconds.
func (n *nemesis) wait(least, most int) {
	time.Sleep(time.Duration(least+n.random.IntN(most-least)) * time.Millisecond)
}

// kill is kill -9. Another process takes the place a while later.
func (n *nemesis) kill(r *historyReplica) {
	r.running.kill()
	n.wait(1, 300)
	r.begin(n.started)
	n.started++
}

// cut cuts one replica off from the store, shorter and longer than requests are repeated.
func (n *nemesis) cut(r *historyReplica) {
	r.set(cutOff)
	n.wait(100, 2000)
	r.set(joined)
}

// lose has replies of the store get lost.
func (n *nemesis) lose(r *historyReplica) {
	r.set(losing)
	n.wait(200, 1000)
	r.set(joined)
}

// outage cuts all replicas off.
func (n *nemesis) outage(*historyReplica) {
	for _, r := range n.replicas {
		r.set(cutOff)
	}
	n.wait(100, 1000)
	for _, r := range slices.Backward(n.replicas) {
		r.set(joined)
	}
}

// pause stops a process, which goes on later as if nothing had been.
func (n *nemesis) pause(r *historyReplica) {
	for _, s := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := r.running.cmd.Process.Signal(s); err != nil {
			n.t.Error(err)
		}
		if s == syscall.SIGSTOP {
			n.wait(100, 1200)
		}
	}
}
