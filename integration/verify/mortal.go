package verify

import (
	"context"
	"errors"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

// errKilled is what a killed process's engine gets for its calls; nobody sees it.
var errKilled = errors.New("the process is dead")

// mortal stands for the process that uses a bucket. After a kill no call reaches the
// store, not even the calls by which the engine would save what a client had sent.
type mortal struct {
	dead chan struct{} // closed by the kill
	once sync.Once

	mu    sync.Mutex
	after driver.Op // the kill follows the next successful call of this verb; "" is none
}

func newMortal() *mortal { return &mortal{dead: make(chan struct{})} }

// killAfter has the process die after its next successful call of op.
func (m *mortal) killAfter(op driver.Op) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.after = op
}

func (m *mortal) kill() { m.once.Do(func() { close(m.dead) }) }

func (m *mortal) killed() bool {
	select {
	case <-m.dead:
		return true
	default:
		return false
	}
}

// wrap is b as the process uses it.
func (m *mortal) wrap(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if m.killed() {
			return driver.NewError(c.Op, c.Key, errKilled)
		}
		err := next(ctx)
		if err == nil && m.fatal(c.Op) {
			m.kill()
		}
		if m.killed() { // the reply comes to a process that is gone
			return driver.NewError(c.Op, c.Key, errKilled)
		}
		return err
	})
}

func (m *mortal) fatal(op driver.Op) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.after == op
}
