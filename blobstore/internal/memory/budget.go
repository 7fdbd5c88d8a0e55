package memory

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// ErrBusy is returned when a holder has waited too long for memory.
var ErrBusy = errors.New("too many uploads are under way")

// Client is who memory is granted to: a network address of a request; the zero value for
// callers that are no requests.
type Client = netip.Prefix

// Budget bounds the bytes that all holders have together. It is safe for concurrent use.
type Budget struct {
	total int64
	pools [numSizes]sync.Pool // of *[]byte, by size class
	large atomic.Int64        // large blocks that there are

	mu      sync.Mutex
	used    int64
	holders map[*Holder]struct{}
	clients map[Client]int64 // bytes by client
	queue   []*waiter        // in the order of arrival
	granted int              // waiters that were served
	easing  bool             // ease is due
}

// fifoEvery is how often the longest waiting holder is served whatever its client holds:
// every fourth time, so that nobody waits for ever.
const fifoEvery = 4

// waiter is a Holder that waits for memory.
type waiter struct {
	holder *Holder
	bytes  int64
	ready  chan struct{} // closed when the bytes are granted
}

// New makes a budget of so many bytes.
func New(total int64) *Budget {
	return &Budget{total: total, holders: make(map[*Holder]struct{}), clients: make(map[Client]int64)}
}

// Usage is what a budget has given out.
type Usage struct {
	Used    int64 // bytes that uploads hold
	Cached  int64 // bytes that are held because nobody else needs the memory
	Total   int64 // bytes that there are
	Waiting int64 // holders that wait
	Holders int64 // caches not counted
}

// Usage is what the budget has given out at the moment.
func (b *Budget) Usage() Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := Usage{Used: b.used, Total: b.total, Waiting: int64(len(b.queue))}
	for h := range b.holders {
		if h.cache {
			u.Used, u.Cached = u.Used-h.bytes, u.Cached+h.bytes
		} else {
			u.Holders++
		}
	}
	return u
}

// acquire waits for n bytes.
func (b *Budget) acquire(ctx context.Context, h *Holder, n int64) error {
	if n > b.total {
		return fmt.Errorf("%d bytes exceed the memory budget of %d: %w", n, b.total, driver.Invalid)
	}
	b.mu.Lock()
	if len(b.queue) == 0 && b.used+n <= b.total {
		b.grant(h, n)
		b.mu.Unlock()
		return nil
	}
	w := &waiter{holder: h, bytes: n, ready: make(chan struct{})}
	b.queue = append(b.queue, w)
	b.admit()
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queue, w); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	} else { // granted at the same moment
		b.release(h, n)
	}
	b.admit()
	return fmt.Errorf("waiting for %d bytes of the memory budget: %w", n, context.Cause(ctx))
}

// try is acquire without waiting.
func (b *Budget) try(h *Holder, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) > 0 || b.used+n > b.total {
		return ErrBusy
	}
	b.grant(h, n)
	return nil
}

func (b *Budget) grant(h *Holder, n int64) {
	b.used += n
	h.bytes += n
	b.clients[h.client] += n
	b.easeLater()
}

// release gives n bytes of h back.
func (b *Budget) release(h *Holder, n int64) {
	b.used -= n
	h.bytes -= n
	h.freed += n
	if b.clients[h.client] -= n; b.clients[h.client] == 0 {
		delete(b.clients, h.client)
	}
}

// admit serves the waiters for whom there is room, and has others spill for the next.
func (b *Budget) admit() {
	for len(b.queue) > 0 {
		i := b.next()
		w := b.queue[i]
		if b.used+w.bytes > b.total {
			b.reclaim(b.used + w.bytes - b.total)
			return
		}
		b.grant(w.holder, w.bytes)
		b.queue = slices.Delete(b.queue, i, i+1)
		b.granted++
		close(w.ready)
	}
}

// next is the index of the waiter that comes next.
func (b *Budget) next() int {
	best := 0
	if b.granted%fifoEvery == fifoEvery-1 {
		return best
	}
	for i, w := range b.queue {
		if b.clients[w.holder.client] < b.clients[b.queue[best].holder.client] {
			best = i
		}
	}
	return best
}

// Holders rest when they have not been touched for so long.
const restAfter = time.Second

// maxEasing is how many holders spill at the same time although nobody waits.
const maxEasing = 16

// easeLater has ease run in a moment, if the budget is more than half used.
func (b *Budget) easeLater() {
	if b.used > b.total/2 && !b.easing {
		b.easing = true
		time.AfterFunc(restAfter, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.easing = false
			b.ease()
			b.easeLater()
		})
	}
}

// ease has holders that rest spill, the one that has rested for longest first, until they
// have no more than half of the budget. The other half is always there at once for those
// that are at work.
func (b *Budget) ease() {
	if b.used <= b.total/2 {
		return
	}
	var resting []*Holder
	sum, spilling := int64(0), 0
	for h := range b.holders {
		switch {
		case h.spilling:
			spilling++
		case !h.cache && !h.futile && h.idle > 0 && time.Since(h.touched) >= restAfter:
			resting = append(resting, h)
			sum += h.bytes
		}
	}
	slices.SortFunc(resting, func(x, y *Holder) int { return x.touched.Compare(y.touched) })
	for _, h := range resting {
		if sum <= b.total/2 || spilling >= maxEasing {
			return
		}
		sum -= h.bytes
		spilling++
		h.spilling = true
		go h.run()
	}
}

// reclaim has holders spill until so many bytes are on their way back: first what can
// be read again, then the holders that have been idle for longest.
func (b *Budget) reclaim(need int64) {
	var able []*Holder
	for h := range b.holders {
		switch {
		case h.spilling:
			need -= h.idle
		case h.idle > 0 && !h.futile:
			able = append(able, h)
		}
	}
	slices.SortFunc(able, func(x, y *Holder) int {
		if x.cache != y.cache {
			if x.cache {
				return -1
			}
			return 1
		}
		return x.touched.Compare(y.touched)
	})
	for _, h := range able {
		if need <= 0 {
			return
		}
		need -= h.idle
		h.spilling = true
		go h.run()
	}
}

// Holder is one upload's share of a budget. Its methods may be called concurrently.
type Holder struct {
	budget *Budget
	client Client
	spill  func()
	cache  bool

	// Guarded by budget.mu.
	bytes    int64 // in slabs that this holder has
	freed    int64 // that it has ever given back
	idle     int64 // of these, the bytes that spill would give back
	touched  time.Time
	spilling bool
	futile   bool // the last spill gave nothing back, a moment ago
}

// Join adds a holder for a client. spill persists the holder's idle bytes and releases
// their slabs; the budget calls it when memory is short, on a goroutine of its own and
// never twice at the same time. It may find that there is nothing to spill any more.
func (b *Budget) Join(c Client, spill func()) *Holder {
	return b.join(&Holder{budget: b, client: c, spill: spill})
}

// JoinCache adds a holder of bytes that are stored elsewhere, too. It spills first.
func (b *Budget) JoinCache(spill func()) *Holder {
	return b.join(&Holder{budget: b, spill: spill, cache: true})
}

func (b *Budget) join(h *Holder) *Holder {
	b.mu.Lock()
	defer b.mu.Unlock()
	h.touched = time.Now()
	b.holders[h] = struct{}{}
	return h
}

// Leave takes the holder out of the budget. It must have no slabs any more.
func (h *Holder) Leave() {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	delete(h.budget.holders, h)
}

// SetIdle tells how many of the holder's bytes spill would give back now. The holder
// counts as touched.
func (h *Holder) SetIdle(n int64) {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	h.idle, h.touched = n, time.Now()
	if n > 0 && len(b.queue) > 0 {
		b.admit()
	}
}

// spillPause is how long a holder is left alone that could not spill, as when the store is
// down.
const spillPause = time.Second

// retry has the holder tried again.
func (h *Holder) retry() {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	h.futile = false
	b.admit()
}

func (h *Holder) run() {
	b := h.budget
	b.mu.Lock()
	before := h.freed
	b.mu.Unlock()
	h.spill()
	b.mu.Lock()
	defer b.mu.Unlock()
	h.spilling = false
	if h.freed == before && h.idle > 0 {
		h.futile = true
		time.AfterFunc(spillPause, h.retry)
	}
	// A holder that could not spill comes last the next time.
	h.touched = time.Now()
	b.admit()
	b.ease()
}
