package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// saveEvery is how often State is saved.
const saveEvery = 5 * time.Second

// State is how far the comparison of digests has got. It can be kept as JSON.
type State struct {
	// Through is a key: the blobs up to it, in order, were compared. Those that came
	// in between since then are not: a push compares them.
	Through string `json:"through"`
	// Bytes is how much that was.
	Bytes int64 `json:"bytes"`
	// Bad are those that were not right. They are read again.
	Bad []digest.Digest `json:"bad,omitempty"`
}

// digests compares the content of all blobs that repositories have, in the order
// of their keys, so that one key tells how far that has got.
func (r *run) digests(ctx context.Context) error {
	if !r.options.Digest {
		return nil
	}
	c := &comparison{run: r, before: r.options.Resume.Bytes, state: r.options.Resume, saved: time.Now()}
	c.state.Bad = slices.Clone(c.state.Bad)
	if err := c.want(ctx); err != nil {
		return err // nothing was compared: the state is what it was
	}
	err := c.all(ctx)
	if serr := r.options.Save(c.state); serr != nil {
		err = errors.Join(err, fmt.Errorf("save the state: %w", serr))
	}
	return err
}

// comparison is the phase of that name.
type comparison struct {
	run           *run
	before, total int64 // bytes, compared earlier and altogether

	mu    sync.Mutex
	queue []*compared // in the order of keys; the first is under way
	state State
	saved time.Time
}

// compared is a blob that is being compared.
type compared struct {
	digest    digest.Digest
	key       string
	size      int64
	done, bad bool
}

// want marks the blobs that repositories have, by the names of their links alone.
// Manifests are not among them: they are compared when they are read.
func (c *comparison) want(ctx context.Context) error {
	r := c.run
	for e, err := range r.keys(ctx) {
		if err != nil {
			return err
		}
		name, ok := r.layout.Parse(e.Key)
		if !ok || name.Kind != layout.LayerLink {
			continue
		}
		b, ok := r.blobs.get(name.Digest)
		if !ok || b.is(young|wanted) || hollow(name.Digest, b.size) {
			continue
		}
		c.total += b.size
		f := wanted
		if r.layout.Blob(name.Digest) <= r.options.Resume.Through && !slices.Contains(r.options.Resume.Bad, name.Digest) {
			f |= verified
		}
		r.blobs.mark(name.Digest, f)
	}
	return nil
}

func (c *comparison) all(ctx context.Context) error {
	r := c.run
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.options.Concurrency)
	// What was not right is told again, unless it is right by now.
	for _, d := range r.options.Resume.Bad {
		if b, _ := r.blobs.get(d); b.is(wanted) {
			c.compare(gctx, g, d, b.size)
		}
	}
	q := driver.ListRequest{Prefix: r.layout.Blobs(), StartAfter: r.options.Resume.Through}
	for e, err := range driver.List(gctx, r.bucket, q) {
		if err != nil {
			// Where another's failure ended gctx, that is what Wait returns.
			g.Go(func() error { return fmt.Errorf("blobs: %w", err) })
			break
		}
		name, ok := r.layout.Parse(e.Key)
		if !ok {
			continue
		}
		if b, _ := r.blobs.get(name.Digest); b.is(wanted) {
			c.compare(gctx, g, name.Digest, e.Size)
		}
	}
	return g.Wait()
}

func (c *comparison) compare(ctx context.Context, g *errgroup.Group, d digest.Digest, size int64) {
	it := &compared{digest: d, key: c.run.layout.Blob(d), size: size}
	c.mu.Lock()
	c.queue = append(c.queue, it)
	c.mu.Unlock()
	g.Go(func() error {
		state, err := c.run.compare(ctx, d, counter(func(n int) {
			c.run.count(func(s *Summary) Progress {
				s.ComparedBytes += int64(n)
				done := c.before + s.ComparedBytes
				return Progress{Digests, done, max(done, c.total)}
			})
		}))
		if err != nil {
			return err
		}
		it.bad = state == isCorrupt || state == isArchived
		return c.finished(it)
	})
}

// finished notes that it is done, and saves the state now and then.
func (c *comparison) finished(it *compared) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	it.done = true
	for len(c.queue) > 0 && c.queue[0].done {
		first := c.queue[0]
		c.queue = c.queue[1:]
		c.state.Bad = slices.DeleteFunc(c.state.Bad, func(d digest.Digest) bool { return d == first.digest })
		if first.bad {
			c.state.Bad = append(c.state.Bad, first.digest)
		}
		if first.key > c.state.Through { // and was not read again
			c.state.Through = first.key
			c.state.Bytes += first.size
		}
	}
	if time.Since(c.saved) < saveEvery {
		return nil
	}
	c.saved = time.Now()
	if err := c.run.options.Save(c.state); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

// compare reads the blob d to w as well, tells when its content is not right, and
// returns why it can't be had.
func (r *run) compare(ctx context.Context, d digest.Digest, w io.Writer) (string, error) {
	state, err := r.content(ctx, d, w)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	r.summary.Compared++
	r.mu.Unlock()
	f := Finding{Key: r.layout.Blob(d), Digest: d}
	switch state {
	case isCorrupt:
		f.Kind, f.Detail = BlobDigest, "remove the object and push it again"
	case isArchived:
		f.Kind, f.Detail = BlobArchived, "restore it"
	default:
		return state, nil
	}
	return state, r.found(ctx, f, nil)
}

// counter is told of how many bytes are written to it.
type counter func(n int)

func (c counter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}
