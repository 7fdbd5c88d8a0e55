package laws

import "sync"

// writesUnderWay knows which keys are being written to.
type writesUnderWay struct {
	mu   sync.Mutex
	left *sync.Cond
	keys map[string]int // writers; alone is one that lets no other in
}

const alone = -1

func newWritesUnderWay() *writesUnderWay {
	u := &writesUnderWay{keys: make(map[string]int)}
	u.left = sync.NewCond(&u.mu)
	return u
}

// enter notes a write of key until leave is called, and returns how many others are
// under way. It waits while a write has the key alone.
func (u *writesUnderWay) enter(key string) (others int, leave func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.keys[key] == alone {
		u.left.Wait()
	}
	others = u.keys[key]
	u.keys[key]++
	return others, func() { u.leave(key) }
}

// enterAlone is enter for a write that no other may overlap. It reports false while
// others are under way.
func (u *writesUnderWay) enterAlone(key string) (leave func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.keys[key] != 0 {
		return nil, false
	}
	u.keys[key] = alone
	return func() { u.leave(key) }, true
}

func (u *writesUnderWay) leave(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.keys[key] <= 1 {
		delete(u.keys, key)
	} else {
		u.keys[key]--
	}
	u.left.Broadcast()
}
