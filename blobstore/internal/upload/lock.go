package upload

// lock is a mutex that may be held while the store is asked. It is a channel, so that tests
// with a clock of their own see that nothing goes on while somebody waits for it.
type lock chan struct{}

func newLock() lock { return make(lock, 1) }

// Lock waits for the lock.
func (l lock) Lock() { l <- struct{}{} }

// Unlock gives the lock back.
func (l lock) Unlock() { <-l }
