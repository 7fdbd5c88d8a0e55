package manifests

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// deleteTime bounds a deletion whose client went away.
const deleteTime = time.Minute

// carryOn is a context that outlives the client's: half a deletion leaves tags without a
// manifest.
func carryOn(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), deleteTime)
}

// Delete takes the manifest d out of the repository, and before that the tags that are it.
// distribution.ErrBlobUnknown, as distribution has it, when the repository does not have d.
// Its referrers stay readable. The content stays for other repositories, until garbage
// collection finds that none has it.
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
	if len(tags) == 0 {
		_, err := r.bucket.Stat(ctx, link)
		if errors.Is(err, driver.NotFound) {
			return distribution.ErrBlobUnknown
		}
		if err != nil {
			return fmt.Errorf("manifest %s: %w", d, err)
		}
	}
	var refs []driver.ObjectRef
	for _, t := range tags {
		r.forgetHistory(t.tag)
		refs = append(refs, t.refs...)
	}
	// A batch that fails half-way can be repeated: the tags that are left lead to it.
	if err := driver.DeleteAll(ctx, r.bucket, append(refs, driver.ObjectRef{Key: link})); err != nil {
		return fmt.Errorf("manifest %s: %w", d, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed[d] = true
	return nil
}

func (r *Repository) forget(d digest.Digest) {
	r.friend.Deleted()
	r.found.Remove(membership{r.name, d})
}
