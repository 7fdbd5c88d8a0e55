package blobstore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// legacySession began the names of sessions outside of upload folders.
const legacySession = "_session."

func isLegacySession(key string) bool { return strings.HasPrefix(path.Base(key), legacySession) }

type legacyFolder struct {
	keys    []string
	touched time.Time // the youngest object's
}

// legacy removes upload folders below the repositories, as blobdock's first edition and
// distribution's own drivers leave them, until there are none.
func (sw *sweep) legacy(ctx context.Context) error {
	if err := sw.collect(ctx); err != nil {
		return err
	}
	sw.store.noLegacy.Store(len(sw.folders) == 0)
	var errs []error
	for dir, f := range sw.folders {
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if f.touched.Before(sw.before) {
			errs = append(errs, sw.remove(Orphan{Kind: OrphanFolder, Key: dir, Touched: f.touched}, &sw.result.Folders, func() error {
				return errors.Join(sw.abortAt(ctx, dir+"/data"), driver.DeleteAll(ctx, sw.store.bucket, driver.Refs(f.keys...)))
			}))
		}
	}
	return errors.Join(errs...)
}

func (sw *sweep) collect(ctx context.Context) error {
	l := sw.store.layout
	for e, err := range driver.List(ctx, sw.store.bucket, driver.ListRequest{Prefix: l.Repositories()}) {
		if err != nil {
			return fmt.Errorf("repositories: %w", err)
		}
		name, ok := l.Parse(e.Key)
		dir := name.Dir
		if isLegacySession(e.Key) {
			dir = e.Key
		} else if !ok || name.Kind != layout.Upload {
			continue
		}
		f := sw.folders[dir]
		if f == nil {
			f = new(legacyFolder)
			sw.folders[dir] = f
		}
		f.keys = append(f.keys, e.Key)
		if e.ModTime.After(f.touched) {
			f.touched = e.ModTime
		}
	}
	return nil
}

// abortAt aborts the multipart uploads to a key that nobody uses any more. Some stores
// list uploads by their exact key alone.
func (sw *sweep) abortAt(ctx context.Context, key string) error {
	for u, err := range driver.ListUploads(ctx, sw.store.bucket, driver.ListRequest{Prefix: key}) {
		if err != nil {
			return err
		}
		if u.Key == key {
			if err := sw.store.bucket.AbortUpload(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}
