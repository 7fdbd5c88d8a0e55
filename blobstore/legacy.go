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

// legacyParts began the keys of parts where the store has no multipart uploads, beside the
// root. An upload to a key had the folder "<key, escaped>!<id>/".
const legacyParts = "_parts/"

// legacyEscaped is a key as it stood there, without "/".
func legacyEscaped(key string) string {
	var out strings.Builder
	for i := range len(key) {
		if c := key[i]; c <= '/' {
			fmt.Fprintf(&out, "-%x", c&15)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

type legacyFolders map[string]*legacyFolder

type legacyFolder struct {
	keys    []string
	touched time.Time // the youngest object's
}

// add adds an object to its folder.
func (fs legacyFolders) add(dir string, e driver.Entry) {
	f := fs[dir]
	if f == nil {
		f = new(legacyFolder)
		fs[dir] = f
	}
	f.keys = append(f.keys, e.Key)
	if e.ModTime.After(f.touched) {
		f.touched = e.ModTime
	}
}

// legacy removes upload folders below the repositories, as blobdock's first edition and
// distribution's own drivers leave them, until there are none.
func (sw *sweep) legacy(ctx context.Context) error {
	if err := sw.collect(ctx); err != nil {
		return err
	}
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
	found := len(sw.folders)
	if sw.store.features.Uploads == nil {
		n, err := sw.parts(ctx)
		found += n
		errs = append(errs, err)
	}
	sw.store.noLegacy.Store(found == 0 && errors.Join(errs...) == nil)
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
		if layout.IsLegacySession(e.Key) {
			dir = e.Key
		} else if !ok || name.Kind != layout.Upload {
			continue
		}
		sw.folders.add(dir, e)
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
			if err := sw.store.bucket.Features().Uploads.AbortUpload(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts removes the folders of parts that are old, and tells how many there were. Nothing
// has written there since the first edition.
func (sw *sweep) parts(ctx context.Context) (int, error) {
	folders := make(legacyFolders)
	prefix := legacyParts + legacyEscaped(sw.store.layout.Root+"/")
	for e, err := range driver.List(ctx, sw.store.bucket, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			return 0, fmt.Errorf("parts: %w", err)
		}
		folders.add(path.Dir(e.Key), e)
	}
	var errs []error
	for dir, f := range folders {
		if f.touched.Before(sw.before) {
			errs = append(errs, sw.remove(Orphan{Kind: OrphanParts, Key: dir, Touched: f.touched}, &sw.result.Parts, func() error {
				return driver.DeleteAll(ctx, sw.store.bucket, driver.Refs(f.keys...))
			}))
		}
	}
	return len(folders), errors.Join(errs...)
}
