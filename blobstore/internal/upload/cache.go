package upload

import (
	"container/list"
	"sync"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
)

// cache keeps states, and their bodies as long as nobody else needs the memory. States
// never change, but their objects can be deleted: a cached state is no proof that it is
// there.
type cache struct {
	max    int
	holder *memory.Holder

	mu     sync.Mutex
	states map[string]*list.Element // of *cached, by key
	order  *list.List               // the least recently used first
	uuids  map[string]*list.Element // of string: uploads that this process has begun
	recent *list.List
	bytes  int64
	weight int // of all states
}

type cached struct {
	state *state
	body  joined // nil when it is not in memory
}

// perEntry is how many pieces, references and ancestors a state has that counts as one:
// those of large uploads count as more.
const perEntry = 64

func (st *state) weight() int {
	return 1 + (len(st.header.Pieces)+len(st.header.Refs)+len(st.header.Ancestors))/perEntry
}

func newCache(n int, b *memory.Budget) *cache {
	c := &cache{max: n, states: make(map[string]*list.Element), order: list.New(), uuids: make(map[string]*list.Element), recent: list.New()}
	c.holder = b.JoinCache(c.spill)
	return c
}

// get is the state at key, or nil.
func (c *cache) get(key string) *state {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.states[key]
	if el == nil {
		return nil
	}
	c.order.MoveToBack(el)
	return el.Value.(*cached).state
}

// put keeps a state, and its body, which is the cache's from now on.
func (c *cache) put(st *state, body joined) {
	for _, b := range body {
		b.Give(c.holder)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.states[st.object.Key]; el != nil {
		c.drop(el)
	}
	c.states[st.object.Key] = c.order.PushBack(&cached{st, body})
	c.bytes += body.size()
	c.weight += st.weight()
	for c.weight > c.max {
		c.drop(c.order.Front())
	}
	c.holder.SetIdle(c.bytes)
}

// copyBody appends the body of the state at key to buf, if it is in memory.
func (c *cache) copyBody(key string, size int64, buf *memory.Buffer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.states[key]
	if el == nil {
		return false
	}
	body := el.Value.(*cached).body
	if body == nil || body.size() != size {
		return false
	}
	for off := int64(0); off < size; {
		n, _ := buf.Write(body.Bytes(off, size-off))
		off += int64(n)
	}
	return true
}

// forgetBody drops the body of a state that later states do not refer to any more. Other
// branches of the upload read it from the store.
func (c *cache) forgetBody(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.states[key]
	if el == nil {
		return
	}
	entry, _ := el.Value.(*cached)
	c.bytes -= entry.body.size()
	entry.body.release()
	entry.body = nil
	c.holder.SetIdle(c.bytes)
}

// forget drops a state that is gone or of no use any more.
func (c *cache) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.states[key]; el != nil {
		c.drop(el)
	}
	c.holder.SetIdle(c.bytes)
}

func (c *cache) drop(el *list.Element) {
	entry, _ := c.order.Remove(el).(*cached)
	delete(c.states, entry.state.object.Key)
	c.weight -= entry.state.weight()
	c.bytes -= entry.body.size()
	entry.body.release()
}

// spill gives all bodies back.
func (c *cache) spill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for el := c.order.Front(); el != nil; el = el.Next() {
		entry, _ := el.Value.(*cached)
		entry.body.release()
		entry.body = nil
	}
	c.bytes = 0
	c.holder.SetIdle(0)
}

func (c *cache) close() {
	c.spill()
	c.holder.Leave()
}

// begun notes that this process has begun an upload: nobody else can have ended it
// unless its id has travelled.
func (c *cache) begun(uuid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uuids[uuid] = c.recent.PushBack(uuid)
	if c.recent.Len() > c.max {
		old, _ := c.recent.Remove(c.recent.Front()).(string)
		delete(c.uuids, old)
	}
}

// beganHere reports whether this process has begun the upload, as far as it remembers.
func (c *cache) beganHere(uuid string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uuids[uuid] != nil
}

// end forgets an upload that was cancelled: a later request looks at the store.
func (c *cache) end(st *state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.uuids[st.id.uuid]; el != nil {
		c.recent.Remove(el)
		delete(c.uuids, st.id.uuid)
	}
	for el := c.order.Front(); el != nil; {
		next := el.Next()
		if entry, _ := el.Value.(*cached); entry.state.id.uuid == st.id.uuid {
			c.drop(el)
		}
		el = next
	}
	c.holder.SetIdle(c.bytes)
}
