package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
)

// ErrIncomplete is returned when the copy came to its end and something is missing
// of it. Problems have told what.
var ErrIncomplete = errors.New("not everything was copied")

// ErrUnsettled is returned when garbage collection in the destination may have taken away what the
// copy counted on, and looking for it takes so long that this may be so again.
var ErrUnsettled = errors.New("the copy takes longer than the destination's collection_wait allows: " +
	"copy again while no garbage is collected there, or with a longer collection_wait in all that use it")

// ErrEmpty is returned when the source has no registry.
var ErrEmpty = errors.New("no registry there")

// Copy copies from src to dst what o says. It goes on after a problem; it ends when
// ctx does, when a store can't be listed, or when it is told that nothing succeeds
// any more. The Summary is what was done in any case.
func Copy(ctx context.Context, src, dst *blobstore.Store, o Options) (Summary, error) {
	if err := o.check(); err != nil {
		return Summary{}, err
	}
	o.Concurrency = cmp.Or(o.Concurrency, DefaultConcurrency)
	c := newCopier(src, dst, o)
	ctx, c.giveUp = context.WithCancelCause(ctx)
	defer c.giveUp(nil)
	err := c.lasting(ctx)
	if ended := context.Cause(ctx); ended != nil {
		err = ended
	}
	if err == nil && c.sum.Incomplete > 0 {
		err = ErrIncomplete
	}
	return c.sum, err
}

// known is how many keys of the destination are remembered, at some 300 bytes.
const known = 1 << 16

// copier is one copy.
type copier struct {
	src, dst side
	options  Options
	giveUp   context.CancelCauseFunc
	slots    *semaphore.Weighted // of Concurrency, for blobs under way
	flying   singleflight.Group  // of blobs, by key
	// present are keys that the destination has.
	present *lru.Cache[string, struct{}]
	// corrupt are blobs that the source has wrong content for.
	corrupt *lru.Cache[digest.Digest, error]
	// again is that all of it has been copied once, see lasting.
	again bool
	// told are the problems that were reported, so that each is reported once.
	told *lru.Cache[string, struct{}]

	mu          sync.Mutex // of what follows, and of calls to the caller
	sum         Summary
	done, total int64
	failures    int // since something succeeded
}

// side is one of the two stores.
type side struct {
	layout.Layout
	store  *blobstore.Store
	bucket driver.Bucket
}

func newSide(s *blobstore.Store) side { return side{friend.Of(s).Layout(), s, s.Bucket()} }

// open reads the object at key.
func (s side) open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	return friend.Of(s.store).OpenKey(ctx, key, 0)
}

func newCopier(src, dst *blobstore.Store, o Options) *copier {
	c := &copier{
		src: newSide(src), dst: newSide(dst),
		options: o, slots: semaphore.NewWeighted(int64(o.Concurrency)),
	}
	// Their only error is of a size below 1.
	c.present, _ = lru.New[string, struct{}](known)
	c.corrupt, _ = lru.New[digest.Digest, error](known)
	c.told, _ = lru.New[string, struct{}](known)
	return c
}

// once copies what is selected.
func (c *copier) once(ctx context.Context) error {
	switch {
	case len(c.options.Tags) > 0:
		return c.tagged(ctx)
	case len(c.options.Repositories) > 0:
		return c.repositories(ctx)
	}
	return c.all(ctx)
}

// all copies the whole registry.
func (c *copier) all(ctx context.Context) error {
	if c.options.Progress != nil {
		ctx, cancel := context.WithCancel(ctx)
		counted := make(chan struct{})
		go func() {
			defer close(counted)
			c.measure(ctx)
		}()
		defer func() { cancel(); <-counted }()
	}
	n, err := c.blobs(ctx)
	if err != nil {
		return err
	}
	m, err := c.links(ctx, c.mergeListings(ctx, c.src.Repositories()), true)
	if err != nil {
		return err
	}
	if n+m == 0 {
		return fmt.Errorf("%s: %w", c.src.Root, ErrEmpty)
	}
	return nil
}

// reportedError is an error that was reported where it happened. What it has as a consequence is
// no problem of its own.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

func isReported(err error) bool { return errors.As(err, new(reportedError)) }

// tell reports a problem, once.
func (c *copier) tell(k Kind, key string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, _ := c.told.ContainsOrAdd(string(k)+" "+key, struct{}{}); before {
		return
	}
	if k.Incomplete() {
		c.sum.Incomplete++
	} else {
		c.sum.Remarks++
	}
	if c.options.Problem != nil {
		c.options.Problem(Problem{k, key, err})
	}
}

// firstLost reports whether a repository's link to d, which the source does not have, is the first.
func (c *copier) firstLost(repo string, d digest.Digest) bool {
	before, _ := c.told.ContainsOrAdd(string(Dangling)+" "+repo+"@"+d.String(), struct{}{})
	return !before
}

// enough is how many failures in a row are taken for the store's.
const enough = 50

// fail reports that err kept key from being copied, unless that is ctx's end or was reported
// before, and gives up when nothing succeeds any more. It returns err, marked as reported.
func (c *copier) fail(ctx context.Context, key string, err error) error {
	if ctx.Err() != nil || isReported(err) {
		return err
	}
	c.tell(Failed, key, err)
	c.mu.Lock()
	c.failures++
	n := c.failures
	c.mu.Unlock()
	if n == enough {
		c.giveUp(fmt.Errorf("%d failures without a success in between: %w", n, err))
	}
	return reportedError{err}
}

// failRead is fail of what was read at key of the source, which may be wrong content.
func (c *copier) failRead(ctx context.Context, key string, err error) error {
	if errors.Is(err, driver.Corrupt) && ctx.Err() == nil && !isReported(err) {
		return c.wrong(key, err)
	}
	return c.fail(ctx, key, err)
}

// wrong reports that the source has wrong content at key. It returns err, marked as reported.
func (c *copier) wrong(key string, err error) error {
	c.tell(Corrupt, key, err)
	return reportedError{err}
}

// count adds to the summary what has succeeded.
func (c *copier) count(add func(*Summary)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.sum)
	c.failures = 0
}

// advance tells the progress of bytes that were copied, and that are to be.
func (c *copier) advance(done, total int64) {
	if c.options.Progress == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += done
	c.total += total
	c.options.Progress(c.done, c.total)
}
