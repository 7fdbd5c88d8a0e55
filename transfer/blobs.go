package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// errAbsent is for what the source does not have.
var errAbsent = errors.New("the source does not have it")

// blobs copies all blobs, and returns how many there are.
func (c *copier) blobs(ctx context.Context) (n int64, err error) {
	var g errgroup.Group
	g.SetLimit(c.options.Concurrency)
	defer func() { _ = g.Wait() }()
	for f, err := range c.mergeListings(ctx, c.src.Blobs()) {
		if err != nil {
			return n, err
		}
		name, ok := c.read(f.src.Key)
		if !ok {
			continue
		}
		n++
		bring := func() error {
			_ = c.ensureBlob(ctx, name.Digest, f) // reported
			return nil
		}
		if f.same() && !c.options.Verify {
			_ = bring()
			continue
		}
		g.Go(bring)
		if ctx.Err() != nil {
			break
		}
	}
	return n, ctx.Err()
}

// measure adds up what the source's blobs have, for the progress alone.
func (c *copier) measure(ctx context.Context) {
	for e, err := range driver.List(ctx, c.src.bucket, driver.ListRequest{Prefix: c.src.Blobs()}) {
		if err != nil {
			return // the copy itself will tell
		}
		c.advance(0, e.Size)
	}
}

// blob sees to it that the destination has d. errAbsent when neither has it; other
// errors are reported.
func (c *copier) blob(ctx context.Context, d digest.Digest) error {
	key := c.dst.Blob(d)
	if c.present.Contains(key) {
		return nil
	}
	_, err, _ := c.flying.Do(key, func() (any, error) {
		var f found
		src, err := stat(ctx, c.src, d)
		if err != nil {
			return nil, c.fail(ctx, c.src.Blob(d), err)
		}
		if f.dst, err = stat(ctx, c.dst, d); err != nil {
			return nil, c.fail(ctx, key, err)
		}
		switch {
		case src == nil && f.dst == nil:
			return nil, errAbsent
		case src == nil:
			c.present.Add(key, struct{}{})
			return nil, nil
		}
		f.src = *src
		c.advance(0, src.Size)
		return nil, c.ensureBlob(ctx, d, f)
	})
	return err
}

// stat is nil for a blob that is not there.
func stat(ctx context.Context, s side, d digest.Digest) (*driver.Object, error) {
	obj, err := s.bucket.Stat(ctx, s.Blob(d))
	if errors.Is(err, driver.NotFound) {
		return nil, nil
	}
	return &obj, err
}

// ensureBlob copies the blob d, unless it is there. errAbsent when the source has it no more; other
// errors are reported.
func (c *copier) ensureBlob(ctx context.Context, d digest.Digest, f found) error {
	key := c.dst.Blob(d)
	if err, ok := c.corrupt.Get(d); ok {
		return err
	}
	if f.src.Size == 0 && d != d.Algorithm().FromBytes(nil) {
		// Listings of Swift say so of large objects, which are empty and name their segments.
		src, err := stat(ctx, c.src, d)
		if err != nil {
			return c.fail(ctx, c.src.Blob(d), err)
		}
		if src != nil {
			f.src = *src
			c.advance(0, src.Size)
		}
	}
	size := f.src.Size
	if size == 0 && d != d.Algorithm().FromBytes(nil) {
		return c.bad(d, fmt.Errorf("no bytes: %w", driver.Corrupt))
	}
	var o blobstore.BlobOptions
	switch {
	case f.same():
		err := c.verify(ctx, d)
		if err == nil {
			c.present.Add(key, struct{}{})
			c.advance(0, -size)
			c.count(func(s *Summary) { s.BlobsThere++; s.BytesThere += size })
			return nil
		}
		if !errors.Is(err, driver.Corrupt) {
			return c.fail(ctx, key, err)
		}
		o.Replace = true
		c.tell(Replaced, key, err)
	case f.dst != nil:
		c.tell(Replaced, key, fmt.Errorf("has %d bytes, the source's %d", f.dst.Size, size))
	}
	if !c.options.DryRun {
		if err := c.transfer(ctx, d, size, o); err != nil {
			if errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
				return c.bad(d, err)
			}
			if errors.Is(err, driver.NotFound) {
				// Garbage may be collected in the source. If its links say that it has the blob, they tell.
				if src, serr := stat(ctx, c.src, d); serr == nil && src == nil {
					return errAbsent
				}
			}
			return c.fail(ctx, c.src.Blob(d), err)
		}
	}
	c.present.Add(key, struct{}{})
	c.count(func(s *Summary) { s.Blobs++; s.Bytes += size })
	return nil
}

// bad reports that the source has other content under d.
func (c *copier) bad(d digest.Digest, err error) error {
	err = c.wrong(c.src.Blob(d), err)
	c.corrupt.Add(d, err)
	return err
}

// A large blob is sent in parts, several at a time, and takes as many slots. With
// fewer of them under way, less is begun anew after a copy was stopped.
const (
	large      = 16 << 20 // bytes
	largeSlots = 4
)

// transfer copies the bytes of a blob.
func (c *copier) transfer(ctx context.Context, d digest.Digest, size int64, o blobstore.BlobOptions) error {
	slots := int64(1)
	if size >= large {
		slots = min(largeSlots, int64(c.options.Concurrency))
	}
	if err := c.slots.Acquire(ctx, slots); err != nil {
		return err
	}
	defer c.slots.Release(slots)
	r, err := c.src.open(ctx, c.src.Blob(d))
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	defer r.Close()
	body := &passing{Reader: r, copier: c}
	if err := c.dst.store.PutBlob(ctx, d, size, body, o); err != nil {
		c.advance(-body.n, -size)
		return err
	}
	return nil
}

// passing tells the progress of what is read.
type passing struct {
	io.Reader
	copier *copier
	n      int64
}

func (p *passing) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	p.n += int64(n)
	p.copier.advance(int64(n), 0)
	return n, err
}

// verify reads a blob of the destination, if it is asked to. Corrupt when it has
// other content.
func (c *copier) verify(ctx context.Context, d digest.Digest) error {
	if !c.options.Verify {
		return nil
	}
	if err := c.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	defer c.slots.Release(1)
	r, err := c.dst.open(ctx, c.dst.Blob(d))
	if err != nil {
		return err
	}
	defer r.Close()
	v := d.Verifier()
	if _, err := io.Copy(v, r); err != nil {
		return err
	}
	if !v.Verified() {
		return fmt.Errorf("content has another digest: %w", driver.Corrupt)
	}
	return nil
}
