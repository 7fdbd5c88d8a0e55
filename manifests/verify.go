package manifests

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// lookups is how many requests of one manifest or list are under way at the same time.
const lookups = 16

// check reports all that keeps m from being taken in. presence tells whether what it refers
// to must be there. Its subject need not be.
func (r *Repository) check(ctx context.Context, m *Manifest, presence bool) error {
	var errs distribution.ErrManifestVerification
	f := m.fields
	switch t := m.descriptor.MediaType; {
	case IsKnown(t) && f.SchemaVersion != 2:
		return invalid("schemaVersion is %d, want 2", f.SchemaVersion)
	case t == MediaTypeSchema1, t == "application/vnd.docker.distribution.manifest.v1+json":
		return invalid("manifests of Docker's schema 1 are not taken in any more")
	}
	if s := f.Subject; s != nil && s.Digest.Validate() != nil {
		errs = append(errs, digest.ErrDigestInvalidFormat)
	}
	var need []func(context.Context) error
	for _, ref := range m.References() {
		switch {
		case ref.Digest.Validate() != nil:
			errs = append(errs, digest.ErrDigestInvalidFormat, distribution.ErrManifestBlobUnknown{Digest: ref.Digest})
		case !r.allows(ref.URLs):
			return invalid("layer %s: a URL is not allowed", ref.Digest)
		}
	}
	if len(errs) > 0 || !presence {
		return nilIfNone(errs)
	}
	blobs := f.Layers
	if f.Config != nil {
		blobs = append([]v1.Descriptor{*f.Config}, blobs...)
	}
	for _, ref := range append(blobs, f.Blobs...) {
		if !elsewhere(ref) {
			need = append(need, func(ctx context.Context) error {
				_, err := r.blobs.Lookup(ctx, ref.Digest)
				return missing(ref.Digest, err)
			})
		}
	}
	for _, ref := range f.Manifests {
		if r.options.Index == nil || r.options.Index(ref) {
			need = append(need, func(ctx context.Context) error {
				_, err := r.Read(ctx, ref.Digest)
				if isUnknown(err) { // caches of builds are indexes of layers
					_, err = r.blobs.Lookup(ctx, ref.Digest)
				}
				return missing(ref.Digest, err)
			})
		}
	}
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for _, look := range need {
		g.Go(func() error {
			err := look(gctx)
			if unknown := (distribution.ErrManifestBlobUnknown{}); errors.As(err, &unknown) {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, unknown)
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return nilIfNone(errs)
}

func nilIfNone(errs distribution.ErrManifestVerification) error {
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// missing is err, or that d is not there.
func missing(d digest.Digest, err error) error {
	if errors.Is(err, distribution.ErrBlobUnknown) {
		return distribution.ErrManifestBlobUnknown{Digest: d}
	}
	return err
}

// elsewhere reports whether a layer may be kept by others.
func elsewhere(d v1.Descriptor) bool {
	return d.MediaType == schema2.MediaTypeForeignLayer || strings.HasPrefix(d.MediaType, "application/vnd.oci.image.layer.nondistributable.")
}

// allows reports whether layers may be fetched from these URLs.
func (r *Repository) allows(urls []string) bool {
	for _, u := range urls {
		at, err := url.Parse(u)
		if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Fragment != "" ||
			r.options.AllowURLs != nil && !r.options.AllowURLs.MatchString(u) ||
			r.options.DenyURLs != nil && r.options.DenyURLs.MatchString(u) {
			return false
		}
	}
	return true
}
