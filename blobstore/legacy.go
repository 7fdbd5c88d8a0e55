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

// legacySweep removes what blobdock's first edition and distribution's own drivers left:
// upload folders below the repositories, multipart uploads, and parts of uploads where the
// store has none.
type legacySweep struct {
	store   *Store
	options SweepOptions
	before  time.Time
	folders legacyFolders
	result  SweepResult
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

func (sw *legacySweep) run(ctx context.Context) error {
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
	if sw.store.bucket.Features().Uploads == nil {
		return errors.Join(append(errs, sw.parts(ctx))...)
	}
	return errors.Join(append(errs, sw.uploads(ctx))...)
}

func (sw *legacySweep) collect(ctx context.Context) error {
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
		sw.folders.add(dir, e)
	}
	return nil
}

// abortAt aborts the multipart uploads to a key that nobody uses any more. Some stores
// list uploads by their exact key alone.
func (sw *legacySweep) abortAt(ctx context.Context, key string) error {
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

// uploads aborts multipart uploads that are old. Today's are over within one request; in
// folders of old uploads they are as young as the folder.
func (sw *legacySweep) uploads(ctx context.Context) error {
	var errs []error
	for u, err := range driver.ListUploads(ctx, sw.store.bucket, driver.ListRequest{Prefix: sw.store.layout.Root + "/"}) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("uploads: %w", err))...)
		}
		name, _ := sw.store.layout.Parse(u.Key)
		f := sw.folders[name.Dir]
		// A store that does not tell the age, as Azure, drops parts by itself.
		if u.Started.IsZero() || !u.Started.Before(sw.before) || f != nil && !f.touched.Before(sw.before) {
			continue
		}
		o := Orphan{Kind: OrphanParts, Key: u.Key, ID: u.ID, Touched: u.Started}
		errs = append(errs, sw.remove(o, &sw.result.Parts, func() error { return sw.store.bucket.Features().Uploads.AbortUpload(ctx, u) }))
	}
	return errors.Join(errs...)
}

// parts removes the folders of parts that are old. Nothing has written there since the
// first edition.
func (sw *legacySweep) parts(ctx context.Context) error {
	folders := make(legacyFolders)
	prefix := legacyParts + legacyEscaped(sw.store.layout.Root+"/")
	for e, err := range driver.List(ctx, sw.store.bucket, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			return fmt.Errorf("parts: %w", err)
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
	return errors.Join(errs...)
}

// remove reports an orphan, has it removed, and counts it when it is.
func (sw *legacySweep) remove(o Orphan, count *int, do func() error) error {
	sw.options.found(o)
	if !sw.options.DryRun {
		if err := do(); err != nil {
			return fmt.Errorf("%s %s: %w", o.Kind, o.Key, err)
		}
	}
	*count++
	return nil
}
