package manifests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// vouched is a manifest whose references were there, and stay until some time after since.
type vouched struct {
	manifest *Manifest
	verify   bool
	since    time.Time
}

// vouch makes sure that what m refers to is there, unless verify is false, and will not be deleted
// before the time that it returns has expired. So it does with m's own objects, where they are
// there already. Garbage collection sees what is written until then. docs/gc-protocol.md has the two
// paths of a manifest PUT; slow leaves out the fast one.
func (r *Repository) vouch(ctx context.Context, m *Manifest, verify, slow bool) (time.Time, error) {
	d := m.descriptor.Digest
	if !slow {
		fast := &sighted{r: r}
		r.friend.Watch().Known(ctx)
		err := fast.note(r.friend.Watch().Peek(d).T0)
		if err == nil && verify {
			err = r.need(ctx, m, fast)
		}
		if !errors.Is(err, errNotSighted) {
			return fast.oldest, err
		}
	}
	look, err := r.friend.Watch().Anew(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("manifest %s: %w", d, err)
	}
	if _, err := r.friend.Watch().Clear(ctx, d); err != nil {
		return time.Time{}, fmt.Errorf("manifest %s: %w", d, err)
	}
	if verify {
		err = r.need(ctx, m, &looked{r, look})
	}
	return look.T0(), err
}

// errNotSighted has the slow path taken.
var errNotSighted = errors.New("there are tombstones, or not all was seen since they were listed")

// sighted is the finder of the fast path: no digest has a tombstone, and all was seen since that
// is known.
type sighted struct {
	r      *Repository
	mu     sync.Mutex
	oldest time.Time
}

func (f *sighted) note(since time.Time) error {
	if f.r.friend.Watch().Expired(since) {
		return errNotSighted
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.oldest.IsZero() || since.Before(f.oldest) {
		f.oldest = since
	}
	return nil
}

func (f *sighted) blob(ctx context.Context, d digest.Digest) error {
	if err := f.note(f.r.friend.Watch().Peek(d).T0); err != nil {
		return err
	}
	since, err := f.r.friend.Sighted(ctx, f.r.name, d)
	if err != nil {
		return err
	}
	return f.note(since)
}

func (f *sighted) layer(ctx context.Context, d digest.Digest) error {
	err := f.blob(ctx, d)
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return nil
	}
	return err
}

func (f *sighted) manifest(ctx context.Context, d digest.Digest) (*Manifest, error) {
	sight := f.r.friend.Watch().Peek(d)
	if err := f.note(sight.T0); err != nil {
		return nil, err
	}
	s, known := f.r.seen(d)
	how := cached
	if !known || f.r.friend.Watch().Expired(s.since) {
		how = allAnew
	}
	m, err := f.r.read(ctx, d, sight, how)
	if err != nil {
		return nil, err
	}
	s, _ = f.r.seen(d)
	return m, f.note(s.since)
}

// looked is the finder of the slow path: what is condemned is rescued, and then all is looked for.
type looked struct {
	r    *Repository
	look *tombstone.Look
}

func (f *looked) blob(ctx context.Context, d digest.Digest) error {
	sight, err := f.look.At(ctx, d)
	if err != nil {
		return err
	}
	return f.r.friend.LookupSince(ctx, f.r.name, d, sight)
}

func (f *looked) layer(ctx context.Context, d digest.Digest) error {
	sight, err := f.look.At(ctx, d)
	if err != nil {
		return err
	}
	err = f.r.friend.LookupSince(ctx, f.r.name, d, sight)
	if errors.Is(err, distribution.ErrBlobUnknown) && !sight.Dying() {
		return nil
	}
	return err
}

func (f *looked) manifest(ctx context.Context, d digest.Digest) (*Manifest, error) {
	sight, err := f.look.At(ctx, d)
	if err != nil {
		return nil, err
	}
	return f.r.read(ctx, d, sight, allAnew)
}

// rounds bounds how often a manifest is put again because writing it took too long, or looked for.
const rounds = 3

// errSlow is how a manifest fails whose writing takes too long every time.
func errSlow(d digest.Digest) error {
	return fmt.Errorf("manifest %s: writing it takes too long: %w", d, driver.Unavailable)
}
