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

	"github.com/blobdock/blobdock/integration/wire"
)

// historyReplica is one of the processes that serve a bucket, and its own way to the store.
type historyReplica struct {
	slot   int
	launch func() *process

	mu      sync.Mutex
	running *process
	process int // which of all processes it is
	cut     bool
	cuts    int // and mends
	into    *history
}

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

func (r *historyReplica) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	r.cuts++
}

// state is which process the replica is, whether it is cut off, and how often that has changed.
func (r *historyReplica) state() (process int, cut bool, cuts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process, r.cut, r.cuts
}

// between stands between the replica and the store. While the replica is cut off no request comes
// to the store. One that is there by then is carried out, and its reply is lost.
func (r *historyReplica) between(w http.ResponseWriter, req *http.Request, next http.Handler) {
	process, cut, _ := r.state()
	if cut {
		panic(http.ErrAbortHandler)
	}
	reads, at := req.Method == http.MethodGet || req.Method == http.MethodHead, r.into.now()
	reply := httptest.NewRecorder()
	next.ServeHTTP(reply, req.WithContext(context.WithoutCancel(req.Context())))
	_, cut, cuts := r.state()
	gone := req.Context().Err() != nil
	if !reads && (cut || gone || reply.Code >= 500) {
		r.into.lose(lostReply{process, at, cuts, gone})
	}
	if cut {
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
	for i := range all {
		r := &historyReplica{slot: i, into: into}
		c, proxy := store.through(t)
		proxy.Intercept(r.between)
		env, config := store.env(t), byFile(t, c.bare(bucket)+options)
		r.launch = func() *process { return serving(t, env, config) }
		r.begin(i)
		all[i] = r
	}
	return all
}

var _ wire.Interceptor = (*historyReplica)(nil).between

// nemesis does harm to replicas, one fault after the other.
type nemesis struct {
	t        *testing.T
	replicas []*historyReplica
	random   *rand.Rand
	into     *history
	started  int // processes
	counts   map[string]int
}

// run goes on until at least each fault was done once, and over says so.
func (n *nemesis) run(over func() bool) {
	faults := []struct {
		name string
		do   func(r *historyReplica)
	}{{"kill", n.kill}, {"cut", n.cut}, {"pause", n.pause}, {"outage", n.outage}}
	for !n.t.Failed() {
		for _, i := range n.random.Perm(len(faults)) {
			n.wait(200, 700)
			r := n.replicas[n.random.IntN(len(n.replicas))]
			from := n.into.now()
			faults[i].do(r)
			n.into.fault(faultWindow{r.slot, faults[i].name, from, n.into.now()})
			n.counts[faults[i].name]++
		}
		if over() {
			return
		}
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
	r.setCut(true)
	n.wait(100, 2000)
	r.setCut(false)
}

// outage cuts all replicas off.
func (n *nemesis) outage(*historyReplica) {
	for _, r := range n.replicas {
		r.setCut(true)
	}
	n.wait(100, 1000)
	for _, r := range slices.Backward(n.replicas) {
		r.setCut(false)
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
