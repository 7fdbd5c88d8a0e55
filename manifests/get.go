package manifests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// linkType is the type of links whose manifest tells its own.
const linkType = "application/octet-stream"

// Get implements distribution.ManifestService. It returns distribution's own types where
// there is one.
func (r *Repository) Get(ctx context.Context, d digest.Digest, _ ...distribution.ManifestServiceOption) (distribution.Manifest, error) {
	m, err := r.Read(ctx, d)
	if err != nil {
		return nil, err
	}
	return m.Typed(), nil
}

// Read returns the manifest d, having compared its digest.
// distribution.ErrManifestUnknownRevision when the repository does not have it, and
// driver.Corrupt when it or its link is damaged. The link and the manifest are read at the same
// time, as far as they are not known.
func (r *Repository) Read(ctx context.Context, d digest.Digest) (*Manifest, error) {
	if d.Validate() != nil {
		return nil, r.unknown(d)
	}
	epoch := r.friend.Epoch()
	seen, known := r.seen(ctx, d)
	content, have := r.kept.Get(d)
	g, gctx := errgroup.WithContext(ctx)
	if !known {
		g.Go(func() (err error) {
			seen, err = r.readLink(gctx, r.layout.RevisionLink(r.name, d))
			return err
		})
	}
	var absent error
	if !have {
		g.Go(func() (err error) {
			content, err = r.readContent(gctx, d)
			if errors.Is(err, driver.NotFound) {
				absent, err = err, nil // the link may lead elsewhere
			}
			return err
		})
	}
	err := g.Wait()
	if err == nil && seen.target != d {
		// Distribution can link a digest to content that it keeps under another algorithm's.
		if content, err = r.readContent(ctx, seen.target); err == nil && d.Algorithm().FromBytes(content) != d {
			err = fmt.Errorf("its link leads to %s: %w", seen.target, driver.Corrupt)
		}
	} else if err == nil {
		err = absent
	}
	if errors.Is(err, driver.NotFound) {
		r.found.Remove(membership{r.name, d})
		return nil, r.unknown(d)
	}
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d, err)
	}
	m, err := Parse("", d.Algorithm(), content)
	if err != nil { // it is not who asks that is to blame: no InvalidError
		return nil, fmt.Errorf("manifest %s: %s: %w", d, err.Error(), driver.Corrupt)
	}
	if !known {
		seen.at, seen.epoch = time.Now(), epoch
		r.see(d, seen)
	}
	r.keep(d, content)
	if seen.mediaType != "" && m.fields.MediaType == "" {
		m.descriptor.MediaType = seen.mediaType
	}
	return m, nil
}

func (r *Repository) unknown(d digest.Digest) error {
	return distribution.ErrManifestUnknownRevision{Name: r.name, Revision: d}
}

func isUnknown(err error) bool {
	var unknown distribution.ErrManifestUnknownRevision
	return errors.As(err, &unknown)
}

// seen is a sighting that still counts. A HEAD is answered by the store.
func (r *Repository) seen(ctx context.Context, d digest.Digest) (sighting, bool) {
	if r.friend.IsHead(ctx) {
		return sighting{}, false
	}
	s, ok := r.found.Get(membership{r.name, d})
	return s, ok && time.Since(s.at) < r.friend.LookupTTL() && s.epoch == r.friend.Epoch()
}

func (r *Repository) see(d digest.Digest, s sighting) { r.found.Add(membership{r.name, d}, s) }

func (r *Repository) keep(d digest.Digest, content []byte) {
	if len(content) <= keptSize {
		r.kept.Add(d, content)
	}
}

// readLink reads a link, and the type of the manifest that it leads to where the link tells.
func (r *Repository) readLink(ctx context.Context, key string) (s sighting, err error) {
	rd, err := r.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return s, err
	}
	defer rd.Close()
	b, err := io.ReadAll(io.LimitReader(rd, layout.MaxLink))
	if err != nil {
		return s, fmt.Errorf("link %q: %w", key, err)
	}
	if s.target = digest.Digest(b); s.target.Validate() != nil {
		return s, fmt.Errorf("link %q: no digest: %w", key, driver.Corrupt)
	}
	if t := rd.Object.ContentType; isJSON(t) { // Put's, no store's default
		s.mediaType = t
	}
	return s, nil
}

// readContent reads a blob and compares its digest.
func (r *Repository) readContent(ctx context.Context, d digest.Digest) ([]byte, error) {
	key := r.layout.Blob(d)
	rd, err := r.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	content, err := io.ReadAll(io.LimitReader(rd, MaxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("blob %s: %w", d, err)
	case len(content) > MaxSize:
		return nil, fmt.Errorf("blob %s: a manifest of more than %d bytes: %w", d, MaxSize, driver.Corrupt)
	case d.Algorithm().FromBytes(content) != d:
		return nil, fmt.Errorf("blob %s: it has another digest: %w", d, driver.Corrupt)
	}
	return content, nil
}
