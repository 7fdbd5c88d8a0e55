package upload

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	// cleanupDelay is how long removals are gathered: the uploads of one push share
	// requests. It is longer than the second in which R2 and Google's store take one
	// change of an object.
	cleanupDelay = 1500 * time.Millisecond
	// cleanupQueue is how many removals wait at most. The sweep removes the rest.
	cleanupQueue = 10_000
	// cleanupTime bounds one removal.
	cleanupTime = time.Minute
)

// cleanup removes objects in the background. The sweep finds what it leaves.
type cleanup struct {
	bucket driver.Bucket
	log    *slog.Logger
	ctx    context.Context //nolint:containedctx // of the goroutine, which no call waits for
	cancel context.CancelFunc

	mu sync.Mutex
	removals
	wake    chan struct{} // has room for one
	closing bool
	done    chan struct{} // closed when the goroutine has ended; nil before it began
}

// removals are what is to be removed.
type removals struct {
	refs    []driver.ObjectRef
	folders []string
	uploads []driver.Upload
	intents []intent
}

func (r *removals) empty() bool {
	return len(r.refs)+len(r.folders)+len(r.uploads)+len(r.intents) == 0
}

func newCleanup(b driver.Bucket, log *slog.Logger) *cleanup {
	c := &cleanup{bucket: b, log: log, wake: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// add has objects removed.
func (c *cleanup) add(refs ...driver.ObjectRef) {
	if len(refs) == 0 {
		return
	}
	c.enqueue(func() { c.refs = append(c.refs, refs[:min(len(refs), max(cleanupQueue-len(c.refs), 0))]...) })
}

// folder has everything in a folder removed.
func (c *cleanup) folder(prefix string) {
	c.enqueue(func() { c.folders = append(c.folders, prefix) })
}

// abort has a multipart upload aborted.
func (c *cleanup) abort(u driver.Upload) {
	c.enqueue(func() { c.uploads = append(c.uploads, u) })
}

// intent has an intent removed, unless there are multipart uploads at its key. They may
// be another push's, or what an earlier try has left whose reply was lost: the sweep looks.
func (c *cleanup) intent(i intent) {
	c.enqueue(func() { c.intents = append(c.intents, i) })
}

func (c *cleanup) enqueue(add func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add()
	if c.done == nil {
		c.done = make(chan struct{})
		go c.run(c.done)
	}
}

func (c *cleanup) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *cleanup) run(done chan struct{}) {
	defer close(done)
	for {
		c.gather()
		c.mu.Lock()
		todo := c.removals
		c.removals = removals{}
		if todo.empty() {
			// The goroutine ends with the work, and begins again with the next.
			c.done = nil
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		c.remove(todo)
	}
}

// gather waits for more work, unless the process ends.
func (c *cleanup) gather() {
	c.mu.Lock()
	closing := c.closing
	c.mu.Unlock()
	if closing {
		return
	}
	t := time.NewTimer(cleanupDelay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.wake:
	}
}

func (c *cleanup) remove(r removals) {
	ctx, cancel := context.WithTimeout(c.ctx, cleanupTime)
	defer cancel()
	warn := func(err error) {
		if err != nil {
			c.log.WarnContext(ctx, "upload not tidied up, the sweep will", "cause", err)
		}
	}
	for _, u := range r.uploads {
		warn(c.bucket.AbortUpload(ctx, u))
	}
	for _, i := range r.intents {
		left, err := uploadsAt(ctx, c.bucket, i.key)
		warn(err)
		if err == nil && len(left) == 0 {
			r.refs = append(r.refs, i.object)
		}
	}
	warn(driver.DeleteAll(ctx, c.bucket, r.refs))
	for _, prefix := range r.folders {
		warn(removeFolder(ctx, c.bucket, prefix, ""))
	}
}

// removeFolder removes all objects below prefix but keep and intents: these lead the sweep
// to multipart uploads of processes that died.
func removeFolder(ctx context.Context, b driver.Bucket, prefix, keep string) error {
	var refs []driver.ObjectRef
	for entry, err := range driver.List(ctx, b, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			return err
		}
		if entry.Key != keep && !strings.HasPrefix(entry.Key, prefix+intentsDir) {
			refs = append(refs, driver.ObjectRef{Key: entry.Key, Version: entry.Version})
		}
	}
	return driver.DeleteAll(ctx, b, refs)
}

// close has all that waits removed, as far as ctx lets it.
func (c *cleanup) close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	done := c.done
	c.signal()
	c.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.cancel()
		<-done
		return ctx.Err()
	}
}
