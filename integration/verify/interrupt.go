package verify

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// cleanups are what is left to do when the process is interrupted.
type cleanups struct {
	mu   sync.Mutex
	next int
	all  map[int]func()
}

// add adds a cleanup, until the function that it returns is called.
func (c *cleanups) add(do func()) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[int]func())
	}
	n := c.next
	c.next++
	c.all[n] = do
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.all, n)
	}
}

// watch has an interrupt do all that is left and end the process, until the function that
// it returns is called. Only the process that makes an upload on MinIO knows its key.
func (c *cleanups) watch() (stop func()) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-interrupts:
			signal.Stop(interrupts) // a second interrupt ends the process at once
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, do := range c.all {
				do()
			}
			os.Exit(1)
		}
	}()
	return func() {
		signal.Stop(interrupts)
		close(ended)
	}
}
