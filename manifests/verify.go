package manifests

import (
	"context"
	"errors"
	"net/url"
	"slices"
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

// check reports what is wrong with m itself.
func (r *Repository) check(m *Manifest) error {
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
	for _, ref := range m.References() {
		switch {
		case ref.Digest.Validate() != nil:
			errs = append(errs, digest.ErrDigestInvalidFormat, distribution.ErrManifestBlobUnknown{Digest: ref.Digest})
		case !r.allows(ref.URLs):
			return invalid("layer %s: a URL is not allowed", ref.Digest)
		}
	}
	return nilIfNone(errs)
}

// blobs are the layers and the like that the repository must have.
func (m *Manifest) blobs() []digest.Digest {
	f := m.fields
	all := append(slices.Clone(f.Layers), f.Blobs...)
	if f.Config != nil {
		all = append(all, *f.Config)
	}
	var blobs []digest.Digest
	for _, ref := range all {
		if !elsewhere(ref) {
			blobs = append(blobs, ref.Digest)
		}
	}
	return blobs
}

// finder finds what a manifest refers to, and has it stay.
type finder interface {
	// blob looks for a blob of the repository: distribution.ErrBlobUnknown.
	blob(ctx context.Context, d digest.Digest) error
	// layer does, of a manifest that an index names. It may be absent, unless it is being
	// deleted: an index of damaged images is taken in.
	layer(ctx context.Context, d digest.Digest) error
	manifest(ctx context.Context, d digest.Digest) (*Manifest, error)
}

// need looks by f for what m refers to. ErrManifestVerification tells all that is missing.
func (r *Repository) need(ctx context.Context, m *Manifest, f finder) error {
	var (
		mu   sync.Mutex
		errs distribution.ErrManifestVerification
	)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	look := func(find func() error) {
		g.Go(func() error {
			err := find()
			if unknown := (distribution.ErrManifestBlobUnknown{}); errors.As(err, &unknown) {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, unknown)
				return nil
			}
			return err
		})
	}
	for _, d := range m.blobs() {
		look(func() error { return missing(d, f.blob(gctx, d)) })
	}
	for _, ref := range m.fields.Manifests {
		if r.options.Index == nil || r.options.Index(ref) {
			look(func() error { return missing(ref.Digest, needChild(gctx, ref.Digest, f)) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return nilIfNone(errs)
}

// needChild looks by f for a manifest that an index names, and what that names.
func needChild(ctx context.Context, d digest.Digest, f finder) error {
	child, err := f.manifest(ctx, d)
	if isUnknown(err) { // caches of builds are indexes of layers
		return f.blob(ctx, d)
	}
	if err != nil {
		return err
	}
	for _, layer := range child.blobs() {
		if err := f.layer(ctx, layer); err != nil {
			return err
		}
	}
	for _, ref := range child.fields.Manifests {
		if err := needChild(ctx, ref.Digest, f); err != nil && !errors.Is(err, distribution.ErrBlobUnknown) {
			return err
		}
	}
	return nil
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
