package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
)

// repository is one whose manifests are followed.
type repository struct {
	*copier
	name string

	mu        sync.Mutex
	manifests map[digest.Digest]*following
	copied    []digest.Digest // of these, to be looked at for what refers to them
	tags      map[string]bool // that somebody sees to
}

// following is a manifest that is being copied, with all that it needs.
type following struct {
	ended chan struct{} // is closed when err is known
	err   error
}

func (c *copier) repository(name string) *repository {
	return &repository{copier: c, name: name, manifests: make(map[digest.Digest]*following), tags: make(map[string]bool)}
}

// has sees to it that the destination has the manifest d. It is copied with all
// that it needs if it came after its repository was listed.
func (r *repository) has(ctx context.Context, d digest.Digest) error {
	key := r.dst.RevisionLink(r.name, d)
	if r.present.Contains(key) {
		return nil
	}
	_, err := r.dst.bucket.Stat(ctx, key)
	switch {
	case errors.Is(err, driver.NotFound):
		return r.manifest(ctx, d)
	case err != nil:
		return r.fail(ctx, key, err)
	}
	return nil
}

// manifest copies the manifest d and all that it needs; errAbsent when the source
// does not have it. Other errors are reported.
func (r *repository) manifest(ctx context.Context, d digest.Digest) error {
	r.mu.Lock()
	f, ok := r.manifests[d]
	if !ok {
		f = &following{ended: make(chan struct{})}
		r.manifests[d] = f
	}
	r.mu.Unlock()
	if !ok {
		f.err = r.follow(ctx, d)
		close(f.ended)
	}
	// A manifest names others by what they contain, so none waits for itself.
	select {
	case <-f.ended:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errNeeded is for a blob or manifest that the source has, but not all it needs.
var errNeeded = errors.New("the source does not have what it needs")

// fan is how much of one manifest is copied at the same time.
const fan = 4

func (r *repository) follow(ctx context.Context, d digest.Digest) error {
	link := r.src.RevisionLink(r.name, d)
	target, err := r.linked(ctx, link)
	if err != nil {
		return err
	}
	b, err := r.content(ctx, target)
	if err != nil {
		return err
	}
	m, err := parseManifest(b)
	if err != nil {
		return r.failRead(ctx, link, err)
	}
	var g errgroup.Group
	g.SetLimit(fan)
	for _, part := range m.blobs() {
		g.Go(func() error {
			err := r.layer(ctx, part.Digest)
			switch {
			case !errors.Is(err, errAbsent):
				return err
			case part.elsewhere():
				return nil // as layers of Windows are
			}
			// It is the registry's fault, and not the store's.
			err = fmt.Errorf("blob %s: %w", part.Digest, errNeeded)
			r.tell(Failed, link, err)
			return reportedError{err}
		})
	}
	for _, part := range m.Manifests {
		g.Go(func() error { return r.child(ctx, d, part.Digest) })
	}
	if m.Subject != nil {
		g.Go(func() error {
			if err := r.manifest(ctx, m.Subject.Digest); !errors.Is(err, errAbsent) {
				return err
			}
			return nil // a signature may come before what it signs
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	if err := r.blob(ctx, target); err != nil {
		return err
	}
	if err := r.puts(ctx, r.dst.RevisionLink(r.name, d), target); err != nil {
		return err
	}
	if m.Subject != nil {
		if err := r.referrer(ctx, m.Subject.Digest, d); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.copied = append(r.copied, d)
	return nil
}

// referrer copies the link that lists d among the referrers of subject, which distribution does
// not write.
func (r *repository) referrer(ctx context.Context, subject, d digest.Digest) error {
	target, err := r.linked(ctx, r.src.Referrer(r.name, subject, d))
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.puts(ctx, r.dst.Referrer(r.name, subject, d), target)
}

// child copies what an index names. An index may name what was never pushed, such
// as other platforms.
func (r *repository) child(ctx context.Context, index, d digest.Digest) error {
	err := r.manifest(ctx, d)
	if errors.Is(err, errAbsent) {
		err = r.layer(ctx, d)
	}
	if errors.Is(err, errAbsent) && r.firstLost(r.name, d) {
		r.tell(Dangling, r.src.RevisionLink(r.name, index), fmt.Errorf("index names %s: %w", d, err))
	}
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// layer copies the blob d, and makes it one of the repository's; errAbsent when the
// source does not have it.
func (r *repository) layer(ctx context.Context, d digest.Digest) error {
	target, err := r.linked(ctx, r.src.LayerLink(r.name, d))
	if err != nil {
		return err
	}
	if err := r.blob(ctx, target); err != nil {
		return err
	}
	return r.puts(ctx, r.dst.LayerLink(r.name, d), target)
}

// linked is target of the source; errAbsent when it does not have the link. Other errors are
// reported.
func (r *repository) linked(ctx context.Context, key string) (digest.Digest, error) {
	d, err := r.target(ctx, r.src, key)
	switch {
	case errors.Is(err, driver.NotFound):
		return "", errAbsent
	case err != nil:
		return "", r.failRead(ctx, key, err)
	}
	return d, nil
}

// puts is put, unless the link is there. Errors are reported.
func (r *repository) puts(ctx context.Context, key string, d digest.Digest) error {
	if r.present.Contains(key) {
		return nil
	}
	obj, err := r.dst.bucket.Stat(ctx, key)
	switch {
	case err == nil && obj.Size == int64(len(d)):
		r.here(key)
		return nil
	case err != nil && !errors.Is(err, driver.NotFound):
		return r.fail(ctx, key, err)
	}
	return r.put(ctx, key, d, func(s *Summary) { s.Links++ })
}

// content reads a manifest; errAbsent when the source does not have it. Other errors are reported.
func (r *repository) content(ctx context.Context, d digest.Digest) ([]byte, error) {
	if err, ok := r.corrupt.Get(d); ok {
		return nil, err
	}
	body, err := r.src.open(ctx, r.src.Blob(d))
	if errors.Is(err, driver.NotFound) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, r.fail(ctx, r.src.Blob(d), fmt.Errorf("source: %w", err))
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("manifest of more than %s: %w", driver.FormatBytes(maxManifest), driver.Invalid)
	}
	if err != nil {
		return nil, r.fail(ctx, r.src.Blob(d), fmt.Errorf("source: %w", err))
	}
	if got := d.Algorithm().FromBytes(b); got != d {
		return nil, r.bad(d, fmt.Errorf("content has digest %s: %w", got, driver.Corrupt))
	}
	return b, nil
}
