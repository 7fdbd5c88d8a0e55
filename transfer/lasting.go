package transfer

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/internal/friend"
)

// passes bounds how often the destination is gone through.
const passes = 4

// lasting copies what is selected, so that garbage collection in the destination takes away none of
// what was there already, or was copied long before anything refers to it. It reads the
// tombstones once, and goes through all of it again where the copy has taken longer than that holds
// for: what is gone by then is copied once more. docs/gc-protocol.md has why that is enough.
func (c *copier) lasting(ctx context.Context) error {
	if c.options.DryRun {
		return c.once(ctx)
	}
	watch := friend.Of(c.dst.store).Watch()
	var first Summary
	for pass := range passes {
		since, err := watch.Settle(ctx, c.concerns)
		if err != nil {
			return fmt.Errorf("destination: %w", err)
		}
		err = c.once(ctx)
		if pass == 0 {
			first = c.sum
		}
		// What is there, or left out, counts once.
		c.sum.BlobsThere, c.sum.BytesThere = first.BlobsThere, first.BytesThere
		c.sum.LinksThere, c.sum.TagsThere, c.sum.LeftOut = first.LinksThere, first.TagsThere, first.LeftOut
		if err != nil || ctx.Err() != nil || !watch.Expired(since) {
			return err
		}
		c.again = true
		c.options.Verify, c.options.Progress = false, nil
		c.present.Purge()
	}
	return ErrUnsettled
}

// concerns reports whether the source has anything under d, so that the copy may count on what the
// destination has.
func (c *copier) concerns(ctx context.Context, d digest.Digest) (bool, error) {
	obj, err := stat(ctx, c.src, d)
	if err != nil {
		return false, fmt.Errorf("source: %w", err)
	}
	return obj != nil, nil
}
