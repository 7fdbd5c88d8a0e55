package manifests

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
)

// writeTime bounds what goes on when the client has gone away.
const writeTime = time.Minute

// carryOn is a context that outlives the client's: half a deletion leaves tags without a
// manifest, and half a push a link without content, or a tag that is listed and can't be had.
func carryOn(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), writeTime)
}

// Delete takes the manifest d out of the repository, and before that the tags that are it.
// distribution.ErrBlobUnknown, as distribution has it, when the repository does not have d.
// Its referrers stay readable, and it is its subject's referrer no more. The content stays for
// other repositories, until garbage collection finds that none has it.
func (r *Repository) Delete(ctx context.Context, d digest.Digest) error {
	if !r.options.Delete {
		return distribution.ErrUnsupported
	}
	if err := d.Validate(); err != nil {
		return err
	}
	ctx, stop := carryOn(ctx)
	defer stop()
	r.forget(d)
	defer r.forget(d) // what was read meanwhile
	tags, err := r.tagsOf(ctx, d)
	if err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	link := r.layout.RevisionLink(r.name, d)
	subject, err := r.subjectOf(ctx, d, len(tags) > 0)
	if errors.Is(err, driver.NotFound) {
		return distribution.ErrBlobUnknown
	}
	if err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	refs, err := r.untagAll(ctx, d, tags)
	if err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	if subject != "" {
		refs = append(refs, driver.ObjectRef{Key: r.layout.Referrer(r.name, subject, d)})
	}
	// A deletion that fails half-way can be repeated: what is left of the tags leads to it.
	if err := driver.DeleteAll(ctx, r.bucket, append(refs, driver.ObjectRef{Key: link})); err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed[d] = true
	return nil
}

// untagAll takes away the tags that are the manifest d, and returns what is left of them. A tag that
// has become another manifest meanwhile stays as it is.
func (r *Repository) untagAll(ctx context.Context, d digest.Digest, tags []tagKeys) (left []driver.ObjectRef, err error) {
	moved := make([]bool, len(tags))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, t := range tags {
		if t.half {
			continue
		}
		g.Go(func() (err error) {
			moved[i], err = r.untagOne(gctx, d, t)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, t := range tags {
		if !moved[i] {
			r.forgetHistory(t.tag)
			left = append(left, t.refs...)
		}
	}
	return left, nil
}

// untagOne deletes the link of a tag that is the manifest d, and reports whether the tag has become
// another manifest meanwhile: that push was acknowledged, and its tag must stay. Where the store does
// not compare on a deletion, the link is read right before, and a push between both is lost.
func (r *Repository) untagOne(ctx context.Context, d digest.Digest, t tagKeys) (moved bool, err error) {
	key, version := r.layout.TagLink(r.name, t.tag), r.comparable(t.link)
	for try := 1; ; try++ {
		if version == "" || try > 1 {
			s, link, err := r.readLink(ctx, key)
			switch {
			case errors.Is(err, driver.NotFound):
				return false, nil
			case err != nil:
				return false, fmt.Errorf("tag %s: %w", t.tag, err)
			case s.target != d:
				return true, nil
			}
			version = r.comparable(link)
		}
		err := r.bucket.Delete(ctx, key, driver.DeleteOptions{IfVersion: version})
		if err == nil {
			return false, nil
		}
		if try == rounds || !errors.Is(err, driver.Mismatch) {
			return false, fmt.Errorf("tag %s: %w", t.tag, err)
		}
	}
}

// comparable is the version by which the store deletes link and no other, "" where there is none. A
// versioned S3 bucket would show again what was below a version that is named.
func (r *Repository) comparable(link driver.Object) string {
	if r.bucket.Features().Conds.Delete&driver.CondIfMatch == 0 || link.Version != "" && link.Version != link.ETag {
		return ""
	}
	return link.ETag
}

// subjectOf is the subject of a manifest that is to be deleted, "" where it has none or can't be
// read. NotFound when the repository has neither the manifest nor a tag of it. Where there is a
// tag the store is not asked: signatures and the like have none, and a link to a referrer that is
// gone costs its subject's list a request.
func (r *Repository) subjectOf(ctx context.Context, d digest.Digest, tagged bool) (digest.Digest, error) {
	content, have := r.kept.Get(d)
	if !tagged {
		g, gctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			_, err := r.bucket.Stat(gctx, r.layout.RevisionLink(r.name, d))
			return err
		})
		if !have {
			g.Go(func() (err error) {
				content, _, err = r.readContent(gctx, d)
				if errors.Is(err, driver.NotFound) || errors.Is(err, driver.Corrupt) {
					return nil
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return "", err
		}
	}
	m, err := Parse("", d.Algorithm(), content)
	if err != nil || m.Subject().Validate() != nil {
		return "", nil //nolint:nilerr // what is no manifest has no subject
	}
	return m.Subject(), nil
}

func (r *Repository) forget(d digest.Digest) {
	r.friend.Deleted()
	r.found.Remove(membership{r.name, d})
}
