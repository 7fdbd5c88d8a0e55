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
	var refs []driver.ObjectRef
	for _, t := range tags {
		r.forgetHistory(t.tag)
		refs = append(refs, t.refs...)
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
