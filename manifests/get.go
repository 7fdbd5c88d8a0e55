package manifests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
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
	watch := r.friend.Watch()
	req := r.friend.Request(ctx)
	if req == nil || req.Method != http.MethodHead {
		return r.read(ctx, d, watch.Peek(d), cached)
	}
	if !strings.HasSuffix(req.URL.Path, "/manifests/"+d.String()) {
		// Nobody leaves a manifest out because there is a tag, which keeps what it names.
		return r.read(ctx, d, watch.Peek(d), linkAnew)
	}
	// A client may not send what is said to be there: the store answers, and it is to stay.
	for range rounds {
		sight, err := watch.Read(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", d, err)
		}
		m, err := r.read(ctx, d, sight, allAnew)
		if err != nil || !watch.Stale(sight.T0) {
			return m, err
		}
	}
	return nil, fmt.Errorf("manifest %s: looking for it takes too long: %w", d, driver.Unavailable)
}

// asks is what of a manifest the store is asked for although it is known.
type asks int

const (
	cached   asks = iota // nothing
	linkAnew             // whether the repository has it
	allAnew              // and whether it is there
)

// read reads the manifest d. What sight hides counts as absent.
func (r *Repository) read(ctx context.Context, d digest.Digest, sight tombstone.Sight, asks asks) (*Manifest, error) {
	epoch := r.friend.Epoch()
	seen, known := r.seen(d)
	content, have := r.kept.Get(d)
	known = known && asks == cached
	g, gctx := errgroup.WithContext(ctx)
	if !known {
		g.Go(func() (err error) {
			var link driver.Object
			seen, link, err = r.readLink(gctx, r.layout.RevisionLink(r.name, d))
			if err == nil && sight.Hides(link) {
				err = fmt.Errorf("link: %w", driver.NotFound)
			}
			return err
		})
	}
	var absent error
	looked := !have || asks == allAnew // that the blob is there
	if looked {
		g.Go(func() (err error) {
			var blob driver.Object
			if have {
				blob, err = r.bucket.Stat(gctx, r.layout.Blob(d))
			} else {
				content, blob, err = r.readContent(gctx, d)
			}
			if err == nil && sight.Hides(blob) {
				err = driver.NotFound
			}
			if errors.Is(err, driver.NotFound) {
				absent, err = err, nil // the link may lead elsewhere
			}
			return err
		})
	}
	err := g.Wait()
	if err == nil && seen.target != d {
		// Distribution can link a digest to content that it keeps under another algorithm's.
		content, sight, err = r.readAlias(ctx, d, seen.target, sight)
		looked = true
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
		if looked {
			seen.since = sight.T0
		}
		r.see(d, seen)
	}
	if !have {
		r.keep(d, content)
	}
	// Also of what a push has kept, whose blobs were not announced, or are no longer.
	r.friend.Announce(m.References())
	if seen.mediaType != "" && m.fields.MediaType == "" {
		m.descriptor.MediaType = seen.mediaType
	}
	return m, nil
}

// readAlias reads the manifest d, which lies under another digest, and may be condemned there. It
// returns what is known of the tombstones of both.
func (r *Repository) readAlias(ctx context.Context, d, target digest.Digest, sight tombstone.Sight) ([]byte, tombstone.Sight, error) {
	other, err := r.friend.Watch().Read(ctx, target)
	if err != nil {
		return nil, sight, err
	}
	sight = sight.And(other)
	content, blob, err := r.readContent(ctx, target)
	switch {
	case err != nil:
		return nil, sight, err
	case sight.Hides(blob):
		return nil, sight, driver.NotFound
	case d.Algorithm().FromBytes(content) != d:
		return nil, sight, fmt.Errorf("its link leads to %s: %w", target, driver.Corrupt)
	}
	return content, sight, nil
}

func (r *Repository) unknown(d digest.Digest) error {
	return distribution.ErrManifestUnknownRevision{Name: r.name, Revision: d}
}

func isUnknown(err error) bool {
	var unknown distribution.ErrManifestUnknownRevision
	return errors.As(err, &unknown)
}

// seen is a sighting that still counts.
func (r *Repository) seen(d digest.Digest) (sighting, bool) {
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
func (r *Repository) readLink(ctx context.Context, key string) (s sighting, link driver.Object, err error) {
	rd, err := r.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return s, link, err
	}
	defer rd.Close()
	b, err := io.ReadAll(io.LimitReader(rd, layout.MaxLink))
	if err != nil {
		return s, link, fmt.Errorf("link %q: %w", key, err)
	}
	if s.target = digest.Digest(b); s.target.Validate() != nil {
		return s, link, fmt.Errorf("link %q: no digest: %w", key, driver.Corrupt)
	}
	if t := rd.Object.ContentType; isJSON(t) { // Put's, no store's default
		s.mediaType = t
	}
	return s, rd.Object, nil
}

// readContent reads a blob and compares its digest.
func (r *Repository) readContent(ctx context.Context, d digest.Digest) ([]byte, driver.Object, error) {
	key := r.layout.Blob(d)
	rd, err := r.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return nil, driver.Object{}, err
	}
	defer rd.Close()
	content, err := io.ReadAll(io.LimitReader(rd, MaxSize+1))
	switch {
	case err != nil:
		return nil, driver.Object{}, fmt.Errorf("blob %s: %w", d, err)
	case len(content) > MaxSize:
		return nil, driver.Object{}, fmt.Errorf("blob %s: a manifest of more than %d bytes: %w", d, MaxSize, driver.Corrupt)
	case d.Algorithm().FromBytes(content) != d:
		return nil, driver.Object{}, fmt.Errorf("blob %s: it has another digest: %w", d, driver.Corrupt)
	}
	return content, rd.Object, nil
}
