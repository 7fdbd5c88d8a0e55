package blobstore

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/redirect"
)

// client is whom memory is granted to: the address of a request, or the network that
// one machine has in IPv6; the zero value for whatever is no request.
type client = netip.Prefix

func clientOf(ctx context.Context) client {
	r, ok := ctx.Value(requestKey).(*http.Request)
	if !ok || r == nil {
		return client{}
	}
	a := redirect.Client(r)
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	network, _ := a.Prefix(bits) // fails for no address, whose network is none
	return network
}

// turns hands out bytes. When there are not enough, those come first whose client
// holds the fewest, and of these who has waited longest: one client's many uploads
// keep no other client from its first. Every fourth time it is who has waited longest of
// all, so that nobody waits for ever, neither for a client that holds nothing nor for
// bytes that smaller ones would take away.
type turns struct {
	waiting atomic.Int64 // turns in queue

	mu    sync.Mutex
	free  int64
	held  map[client]int64
	queue []*turn // in the order of asking
	came  int     // turns of those who had to wait
}

// byAge is which of them is that of who has waited longest.
const byAge = 4

type turn struct {
	client client
	bytes  int64
	since  time.Time
	came   chan struct{} // closed when it has
}

func newTurns(bytes int64) *turns {
	return &turns{free: bytes, held: make(map[client]int64)}
}

// try takes n bytes for c, unless it would have to wait.
func (t *turns) try(c client, n int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > 0 || n > t.free {
		return false
	}
	t.take(c, n)
	return true
}

// wait takes n bytes for c when its turn has come.
func (t *turns) wait(ctx context.Context, c client, n int64) error {
	mine := &turn{client: c, bytes: n, since: time.Now(), came: make(chan struct{})}
	t.mu.Lock()
	t.queue = append(t.queue, mine)
	t.admit()
	t.mu.Unlock()
	select {
	case <-mine.came:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.queue, mine); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		t.admit()
	} else { // it came at the same moment
		t.giveBack(c, n)
	}
	return ctx.Err()
}

// overdue is how many have waited for longer than d.
func (t *turns) overdue(d time.Duration) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, now := int64(0), time.Now()
	for _, w := range t.queue {
		if now.Sub(w.since) > d {
			n++
		}
	}
	return n
}

// release gives back n bytes of c.
func (t *turns) release(c client, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.giveBack(c, n)
}

func (t *turns) giveBack(c client, n int64) {
	t.free += n
	if t.held[c] -= n; t.held[c] == 0 {
		delete(t.held, c)
	}
	t.admit()
}

func (t *turns) take(c client, n int64) {
	t.free -= n
	t.held[c] += n
}

// admit lets those go ahead whose turn it is.
func (t *turns) admit() {
	for len(t.queue) > 0 {
		i := t.next()
		w := t.queue[i]
		if w.bytes > t.free {
			break
		}
		t.take(w.client, w.bytes)
		t.queue = slices.Delete(t.queue, i, i+1)
		t.came++
		close(w.came)
	}
	t.waiting.Store(int64(len(t.queue)))
}

// next is the index of whose turn it is.
func (t *turns) next() int {
	best := 0
	if t.came%byAge == byAge-1 {
		return best
	}
	for i, w := range t.queue {
		if t.held[w.client] < t.held[t.queue[best].client] {
			best = i
		}
	}
	return best
}
