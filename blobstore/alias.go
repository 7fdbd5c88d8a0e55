package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Alias has the blob d, which the repository has, found under another digest of its content, too,
// by an algorithm of choice. It is a link, as distribution writes one for a blob that was pushed by
// its SHA-512; [Blob.Descriptor] has the digest that was asked for. The content is read and
// compared: distribution.ErrBlobInvalidDigest when it has not the digest alias, ErrBlobUnknown when
// the repository has no blob d. Delete of alias removes the link alone.
func (r *Repository) Alias(ctx context.Context, alias, d digest.Digest) (err error) {
	ctx, span := traced(ctx, "alias", r.name, "", alias)
	defer span.end(&err)
	if err := errors.Join(checkDigest(alias), checkDigest(d)); err != nil {
		return err
	}
	if err := r.hasDigest(ctx, alias, d); err != nil {
		return err
	}
	var (
		b     *Blob
		epoch = r.store.cacheEpoch.Load()
	)
	sight, err := r.guarded(ctx, alias, func(tombstone.Sight) (err error) {
		if b, err = r.lookupPromised(ctx, d); err != nil || alias == d {
			return err
		}
		return r.store.engine.Link(ctx, r.name, alias, b.target)
	})
	if err == nil && r.store.watch.Stale(b.since) {
		_, err = r.lookupPromised(ctx, alias)
	}
	switch {
	case errors.Is(err, distribution.ErrBlobUnknown):
		return distribution.ErrBlobUnknown
	case err != nil:
		return fmt.Errorf("alias %s of blob %s: %w", alias, d, err)
	}
	r.linked(ctx, alias, b.target, b.object, epoch, sight.And(tombstone.Sight{T0: b.since}))
	return nil
}

// hasDigest compares the content of the blob d.
func (r *Repository) hasDigest(ctx context.Context, want, d digest.Digest) error {
	rd, err := r.Open(ctx, d)
	if err != nil {
		return err
	}
	defer rd.Close()
	v := want.Verifier()
	switch _, err := io.Copy(v, rd); {
	case errors.Is(err, driver.NotFound):
		return distribution.ErrBlobUnknown
	case err != nil:
		return fmt.Errorf("blob %s: %w", d, err)
	case !v.Verified():
		return distribution.ErrBlobInvalidDigest{Digest: want, Reason: errors.New("the blob has other content")}
	}
	return nil
}
