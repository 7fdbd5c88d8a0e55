package blobstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
	"github.com/blobdock/blobdock/driver"
)

// DefaultSweepAge is how long an upload must not have been touched before a sweep takes it:
// a day longer than uploads are continued.
const DefaultSweepAge = upload.DefaultMaxAge + 24*time.Hour

// SweepOptions say what a sweep takes away.
type SweepOptions struct {
	// OlderThan is how long an upload must not have been touched; DefaultSweepAge.
	OlderThan time.Duration
	// DryRun reports and removes nothing.
	DryRun bool
	// OnOrphan is called for everything that is removed, or would be.
	OnOrphan func(Orphan)
}

func (o SweepOptions) found(orphan Orphan) {
	if o.OnOrphan != nil {
		o.OnOrphan(orphan)
	}
}

// Orphan is something that an abandoned upload left.
type Orphan struct {
	Kind    OrphanKind
	Key     string
	ID      string // of the multipart upload
	Touched time.Time
}

// OrphanKind tells what an Orphan is.
type OrphanKind string

const (
	OrphanUpload OrphanKind = "upload" // an upload, with all its objects
	OrphanFolder OrphanKind = "folder" // an upload of the first edition's, or of distribution's own drivers
	OrphanParts  OrphanKind = "parts"  // a multipart upload that nobody has completed, or parts of the first edition's
)

// SweepResult counts what was removed, or would be.
type SweepResult struct{ Uploads, Folders, Parts int }

// Sweep removes uploads that were abandoned. It goes on after a failure and returns all of
// them joined.
//
// Uploads under way are told by age alone, by the store's clock, so OlderThan must exceed
// the longest time that passes between two requests of one upload.
//
// It also looks for what blobdock's first edition and distribution's own drivers have left,
// which takes a listing of all repositories, until one such look of this Store finds
// nothing. From then on a sweep costs one listing where there are no uploads, and one of
// the multipart uploads on a store that has these and lists them.
func (s *Store) Sweep(ctx context.Context, o SweepOptions) (SweepResult, error) {
	if o.OlderThan == 0 {
		o.OlderThan = DefaultSweepAge
	}
	n, err := s.engine.Sweep(ctx, upload.SweepOptions{
		Age: o.OlderThan, DryRun: o.DryRun,
		OnOrphan: func(folder string, touched time.Time) {
			o.found(Orphan{Kind: OrphanUpload, Key: folder, Touched: touched})
		},
	})
	sw := &sweep{store: s, options: o, before: s.engine.Now().Add(-o.OlderThan), folders: make(legacyFolders)}
	sw.result.Uploads = n
	errs := []error{err}
	if !s.noLegacy.Load() {
		errs = append(errs, sw.legacy(ctx))
	}
	errs = append(errs, sw.multipart(ctx))
	return sw.result, errors.Join(errs...)
}

type sweep struct {
	store   *Store
	options SweepOptions
	before  time.Time
	folders legacyFolders
	result  SweepResult
}

// multipart aborts multipart uploads that are old. Today's are over within one request; in
// legacy folders they are as young as the folder.
func (sw *sweep) multipart(ctx context.Context) error {
	if f := sw.store.features; f.Uploads == nil || f.UploadsByKey {
		return nil // there are none, or the engine has its own way to find them
	}
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
		errs = append(errs, sw.remove(o, &sw.result.Parts, func() error { return sw.store.features.Uploads.AbortUpload(ctx, u) }))
	}
	return errors.Join(errs...)
}

// remove reports an orphan, has it removed, and counts it when it is.
func (sw *sweep) remove(o Orphan, count *int, do func() error) error {
	sw.options.found(o)
	if !sw.options.DryRun {
		if err := do(); err != nil {
			return fmt.Errorf("%s %s: %w", o.Kind, o.Key, err)
		}
	}
	*count++
	return nil
}
