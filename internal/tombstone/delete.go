package tombstone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	// attempt is for how long a deletion of a version that is not unique is signed.
	attempt = 20 * time.Second
	// unsent is more than a driver wants to be left of a NotAfter when it sends a deletion.
	unsent = 2 * time.Second
	// attempts bounds how often one is begun anew.
	attempts = 5
)

// next is what a deletion that begins now is signed until. It is later than the one before.
func (t Tombstone) next(b driver.Bucket) time.Time {
	at := b.Features().Time().Add(attempt).Truncate(time.Second).UTC()
	if !at.After(t.NotAfter) {
		at = t.NotAfter.Add(time.Second)
	}
	return at
}

// Begin changes a condemned tombstone to deleting.
func (s *Stored) Begin(ctx context.Context, b driver.Bucket) error {
	err := s.Change(ctx, b, func(t *Tombstone) {
		t.State = Deleting
		if !t.Unique {
			t.NotAfter = t.next(b)
		}
	})
	s.renewed = err == nil
	return err
}

// Delete deletes what a tombstone that is deleting names, and sees it gone. Others may do the same
// at the same time: driver.Mismatch or driver.NotFound where one of them has changed the
// tombstone, which is left to them.
func (s *Stored) Delete(ctx context.Context, b driver.Bucket) error {
	var last error
	for range attempts {
		gone, err := s.attempt(ctx, b)
		if gone || err != nil && !driver.OutcomeUnknown(err) {
			return err
		}
		last = err
	}
	return errors.Join(fmt.Errorf("object %q is there after %d deletions: %w", s.Key, attempts, driver.Unavailable), last)
}

// attempt deletes once, and reports whether the object is gone. An error whose outcome is unknown
// is that of a deletion that may not have taken place.
func (s *Stored) attempt(ctx context.Context, b driver.Bucket) (gone bool, err error) {
	f := b.Features()
	var o driver.DeleteOptions
	if s.Unique || f.Conds.Delete&driver.CondIfMatch != 0 {
		o.IfVersion = s.Version
	}
	if !s.Unique {
		// Equal bytes have the version again: no deletion may outlive the tombstone.
		if !s.renewed {
			if err := s.Change(ctx, b, func(t *Tombstone) { t.NotAfter = t.next(b) }); err != nil {
				return false, err
			}
		}
		s.renewed = false
		o.NotAfter = s.NotAfter
	}
	failed := b.Delete(ctx, s.Key, o)
	if errors.Is(failed, driver.Invalid) && !s.Unique && b.Features().Time().After(s.NotAfter.Add(-unsent)) {
		return false, nil // it came too late to be sent: once more, signed anew
	}
	if errors.Is(failed, driver.Mismatch) || errors.Is(failed, driver.NotFound) {
		failed = nil
	}
	if failed != nil && !driver.OutcomeUnknown(failed) {
		return false, failed
	}
	obj, err := b.Stat(ctx, s.Key)
	switch {
	case errors.Is(err, driver.NotFound), err == nil && !s.Names(obj):
		// A versioned S3 bucket hides the version below a newer one, or a delete marker, and would
		// uncover it one day: only the reply tells.
		return !s.Unique || failed == nil, failed
	case err != nil:
		return false, errors.Join(failed, err)
	}
	return false, failed
}

// Finish changes to done a tombstone whose object Delete has seen gone, when no deletion can be
// executed any more. Errors are those of Delete.
func (s *Stored) Finish(ctx context.Context, b driver.Bucket) error {
	if err := waitUntil(ctx, b, s.NotAfter); err != nil {
		return err
	}
	return s.Change(ctx, b, func(t *Tombstone) { t.State = Done })
}

// Await waits until the deletion that a tombstone is about is over, and changes it to done. Who
// puts an object that is being deleted calls it before. With versions it deletes the version itself,
// as whoever began may be gone. Errors are those of Delete.
func (s *Stored) Await(ctx context.Context, b driver.Bucket) error {
	if s.Unique {
		if err := s.Delete(ctx, b); err != nil {
			return err
		}
	}
	return s.Finish(ctx, b)
}

// margin is by how much the clocks of a store's servers may differ.
const margin = time.Second

// waitUntil waits until at has passed by the store's clock.
func waitUntil(ctx context.Context, b driver.Bucket, at time.Time) error {
	for !at.IsZero() {
		rest := at.Add(margin).Sub(b.Features().Time())
		if rest <= 0 {
			return nil
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
			return fmt.Errorf("tombstone: %w", ctx.Err())
		}
	}
	return nil
}
