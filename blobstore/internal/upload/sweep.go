package upload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// SweepOptions say what a sweep removes.
type SweepOptions struct {
	// Age is for how long nothing of an upload may have been written, by the store's clock.
	Age    time.Duration
	DryRun bool
	// OnOrphan is called for every upload that is removed, or would be.
	OnOrphan func(folder string, touched time.Time)
}

// Sweep removes uploads that were abandoned, and returns their number. Their age is that
// of the youngest of their objects. It goes on after a failure and returns all of them
// joined. Where there are no uploads it costs one request.
//
// The states go first: a request that continues the upload at the same time then fails,
// or has written an object that is young, and the folder is left alone.
func (e *Engine) Sweep(ctx context.Context, o SweepOptions) (removed int, err error) {
	var errs []error
	var at string
	var touched time.Time
	finish := func() {
		before := e.Now().Add(-o.Age) // after a reply, which tells the store's time
		if at == "" || !touched.Before(before) {
			return
		}
		if o.OnOrphan != nil {
			o.OnOrphan(at, touched)
		}
		if !o.DryRun {
			if err := e.sweepFolder(ctx, at, before); err != nil {
				errs = append(errs, fmt.Errorf("upload %s: %w", at, err))
				return
			}
		}
		removed++
	}
	for entry, err := range driver.List(ctx, e.bucket, driver.ListRequest{Prefix: e.layout.Uploads()}) {
		if err != nil {
			return removed, errors.Join(append(errs, fmt.Errorf("uploads: %w", err))...)
		}
		name, _, ok := strings.Cut(strings.TrimPrefix(entry.Key, e.layout.Uploads()), "/")
		if !ok {
			continue
		}
		if folder := e.layout.Uploads() + name + "/"; folder != at {
			finish()
			at, touched = folder, time.Time{}
		}
		if entry.ModTime.After(touched) {
			touched = entry.ModTime
		}
	}
	finish()
	return removed, errors.Join(errs...)
}

func (e *Engine) sweepFolder(ctx context.Context, folder string, before time.Time) error {
	if goesOn, err := e.removeOld(ctx, folder+statesDir, endKey(folder), before); err != nil || goesOn {
		return err
	}
	if err := e.abortIntended(ctx, folder, before); err != nil {
		return err
	}
	_, err := e.removeOld(ctx, folder, "", before)
	return err
}

// removeOld removes all objects below prefix but keep, unless an object there is young:
// the upload goes on after all.
func (e *Engine) removeOld(ctx context.Context, prefix, keep string, before time.Time) (goesOn bool, err error) {
	var refs []driver.ObjectRef
	for entry, err := range driver.List(ctx, e.bucket, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			return false, err
		}
		if !entry.ModTime.Before(before) {
			return true, nil
		}
		if entry.Key != keep {
			refs = append(refs, driver.ObjectRef{Key: entry.Key, Version: entry.Version})
		}
	}
	return false, driver.DeleteAll(ctx, e.bucket, refs)
}
