package manifests

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Tags implements distribution.TagService.
type Tags struct{ repository *Repository }

var (
	_ distribution.TagService           = Tags{}
	_ distribution.TagManifestsProvider = Tags{}
)

// Tags are the repository's.
func (r *Repository) Tags() Tags { return Tags{r} }

// Get returns the digest of the manifest that the tag is. distribution.ErrTagUnknown when
// there is no such tag.
func (t Tags) Get(ctx context.Context, tag string) (v1.Descriptor, error) {
	if !IsTag(tag) {
		return v1.Descriptor{}, distribution.ErrTagUnknown{Tag: tag}
	}
	r := t.repository
	s, _, err := r.readLink(ctx, r.layout.TagLink(r.name, tag))
	if errors.Is(err, driver.NotFound) {
		return v1.Descriptor{}, distribution.ErrTagUnknown{Tag: tag}
	}
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("tag %s: %w", tag, err)
	}
	return v1.Descriptor{Digest: s.target}, nil
}

// Tag makes the tag the manifest that desc describes, also when the client goes away. Of two
// that move a tag at the same time the last one stands.
func (t Tags) Tag(ctx context.Context, tag string, desc v1.Descriptor) error {
	if err := checkTag(tag); err != nil {
		return err
	}
	if err := desc.Digest.Validate(); err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	ctx, stop := carryOn(ctx)
	defer stop()
	r := t.repository
	v, err := r.tagged(ctx, desc.Digest)
	if err != nil {
		return err
	}
	if err := r.putHistory(ctx, tag, desc.Digest); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.removed, desc.Digest)
	r.mu.Unlock()
	for round := 1; ; round++ {
		if err := r.friend.PutLink(ctx, r.layout.TagLink(r.name, tag), desc.Digest, linkType); err != nil {
			return fmt.Errorf("tag %s: %w", tag, err)
		}
		if v.manifest == nil || !r.friend.Watch().Expired(v.since) {
			return nil
		}
		if round == rounds {
			return errSlow(desc.Digest)
		}
		if v, err = r.write(ctx, v.manifest, []string{tag}, v.verify, true); err != nil {
			return err
		}
	}
}

// tagged puts the manifest d, which gets a tag, unless Put just has. The zero value where the
// repository does not have it: there is nothing to vouch for.
func (r *Repository) tagged(ctx context.Context, d digest.Digest) (vouched, error) {
	r.mu.Lock()
	v, ok := r.vouched[d]
	r.mu.Unlock()
	if ok {
		return v, nil
	}
	m, err := r.Read(ctx, d)
	if isUnknown(err) {
		return vouched{}, nil
	}
	if err != nil {
		return vouched{}, err
	}
	// It is put again: what was read may be gone, or be deleted meanwhile.
	v, err = r.write(ctx, m, nil, true, true)
	if errors.As(err, new(distribution.ErrManifestVerification)) {
		// The image may be damaged, and was there before: what it lacks is none of the tag's business.
		return r.write(ctx, m, nil, false, true)
	}
	return v, err
}

// TagAll is Tag of several tags at the same time.
func (t Tags) TagAll(ctx context.Context, tags []string, desc v1.Descriptor) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for _, tag := range tags {
		g.Go(func() error { return t.Tag(gctx, tag, desc) })
	}
	return g.Wait()
}

// putHistory notes that the tag is the manifest d, once.
func (r *Repository) putHistory(ctx context.Context, tag string, d digest.Digest) error {
	key := tagged{tag, d}
	r.mu.Lock()
	done := r.indexed[key]
	r.mu.Unlock()
	if done {
		return nil
	}
	if err := r.friend.PutLink(ctx, r.layout.TagIndexLink(r.name, tag, d), d, linkType); err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.indexed[key] = true
	return nil
}

// Untag removes the tag and its history. distribution.ErrTagUnknown when there is none.
func (t Tags) Untag(ctx context.Context, tag string) error {
	r := t.repository
	if !r.options.Delete {
		return distribution.ErrUnsupported
	}
	if !IsTag(tag) {
		return distribution.ErrTagUnknown{Tag: tag}
	}
	ctx, stop := carryOn(ctx)
	defer stop()
	refs, err := r.under(ctx, r.layout.Tag(r.name, tag))
	if err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	if len(refs) == 0 {
		return distribution.ErrTagUnknown{Tag: tag}
	}
	r.forgetHistory(tag)
	if err := driver.DeleteAll(ctx, r.bucket, refs); err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	return nil
}

// forgetHistory has Tag write the history of a tag again.
func (r *Repository) forgetHistory(tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.indexed, func(k tagged, _ bool) bool { return k.tag == tag })
}

// under is all keys with a prefix.
func (r *Repository) under(ctx context.Context, prefix string) (refs []driver.ObjectRef, err error) {
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			return nil, err
		}
		refs = append(refs, driver.ObjectRef{Key: e.Key})
	}
	return refs, nil
}

// ManifestDigests returns the manifests that the tag is or once was, in no order.
func (t Tags) ManifestDigests(ctx context.Context, tag string) ([]digest.Digest, error) {
	if !IsTag(tag) {
		return nil, distribution.ErrTagUnknown{Tag: tag}
	}
	r := t.repository
	var all []digest.Digest
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Tag(r.name, tag) + "index/"}) {
		if err != nil {
			return nil, fmt.Errorf("tag %s: %w", tag, err)
		}
		if n, ok := r.layout.Parse(e.Key); ok && n.Kind == layout.TagIndexLink {
			all = append(all, n.Digest)
		}
	}
	return all, nil
}

// Lookup returns the tags that are the manifest that desc describes.
func (t Tags) Lookup(ctx context.Context, desc v1.Descriptor) ([]string, error) {
	r := t.repository
	r.mu.Lock()
	removed := r.removed[desc.Digest]
	r.mu.Unlock()
	if removed {
		return nil, nil
	}
	found, err := r.tagsOf(ctx, desc.Digest)
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, f := range found {
		if !f.half {
			tags = append(tags, f.tag)
		}
	}
	return tags, nil
}

// tagKeys is a tag and the keys below it, of which the one that leads a deletion here goes last:
// that it once was the manifest.
type tagKeys struct {
	tag  string
	half bool          // a deletion has left of it what it once was
	link driver.Object // that says what it is, as it was seen; refs are all others
	refs []driver.ObjectRef
}

// tagsOf finds the tags that are the manifest d, and what is left of some that were. The listing
// tells all that once were, and mostly by their checksums which are.
func (r *Repository) tagsOf(ctx context.Context, d digest.Digest) ([]tagKeys, error) {
	sum := etagOf(d)
	var (
		candidates []tagKeys
		open       tagKeys // of the tag that the listing is at
		was        string  // the key that says that it is, or once was, d
		certain    []bool  // of candidates: the checksum of the link is that of d's
		is         bool
	)
	end := func() {
		if was != "" {
			open.refs = append(open.refs, driver.ObjectRef{Key: was})
		}
		// A deletion of the tag while it was pushed may have left the link alone.
		alone := open.link.Key != "" && len(open.refs) == 0
		if was != "" || is || alone {
			candidates, certain = append(candidates, open), append(certain, is)
		}
	}
	for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Tags(r.name)}) {
		if err != nil {
			return nil, fmt.Errorf("tags: %w", err)
		}
		n, ok := r.layout.Parse(e.Key)
		if !ok {
			continue
		}
		if n.Tag != open.tag {
			end()
			open, was, is = tagKeys{tag: n.Tag}, "", false
		}
		if n.Kind == layout.TagIndexLink && n.Digest == d {
			was = e.Key
			continue
		}
		if n.Kind == layout.TagLink {
			open.link, is = e.Object, e.ETag == sum
			continue
		}
		open.refs = append(open.refs, driver.ObjectRef{Key: e.Key})
	}
	end()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, c := range candidates {
		if certain[i] {
			continue
		}
		g.Go(func() error {
			s, link, err := r.readLink(gctx, r.layout.TagLink(r.name, c.tag))
			switch {
			case errors.Is(err, driver.NotFound):
				candidates[i].half, certain[i] = true, true
				return nil
			case errors.Is(err, driver.Corrupt):
				return nil
			}
			if link.ETag != c.link.ETag { // what was listed has no version that S3 would delete for good
				candidates[i].link = link
			}
			certain[i] = s.target == d
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	var found []tagKeys
	for i, c := range candidates {
		if certain[i] {
			found = append(found, c)
		}
	}
	return found, nil
}
