package blobstore

import (
	"context"
	"errors"
	"time"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
)

// DefaultSweepAge is how long an upload must not have been touched before a sweep takes it:
// a day longer than uploads are continued.
const DefaultSweepAge = upload.DefaultMaxAge + 24*time.Hour

// SweepOptions say what a sweep takes away.
type SweepOptions struct {
	// OlderThan is how long an upload must not have been touched; DefaultSweepAge.
	OlderThan time.Duration
	// SkipLegacy leaves what blobdock's first edition and distribution's own drivers have
	// written. To find it takes a listing of all repositories.
	SkipLegacy bool
	// DryRun reports and removes nothing.
	DryRun bool
	// Found is called for everything that is removed, or would be.
	Found func(Orphan)
}

func (o SweepOptions) found(orphan Orphan) {
	if o.Found != nil {
		o.Found(orphan)
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
// Uploads under way are told by age alone, so OlderThan must exceed the longest time that
// passes between two requests of one upload.
func (s *Store) Sweep(ctx context.Context, o SweepOptions) (SweepResult, error) {
	if o.OlderThan == 0 {
		o.OlderThan = DefaultSweepAge
	}
	before := time.Now().Add(-o.OlderThan)
	n, err := s.engine.Sweep(ctx, upload.SweepOptions{
		Before: before, DryRun: o.DryRun,
		OnOrphan: func(folder string, touched time.Time) {
			o.found(Orphan{Kind: OrphanUpload, Key: folder, Touched: touched})
		},
	})
	result := SweepResult{Uploads: n}
	if o.SkipLegacy {
		return result, err
	}
	legacy := &legacySweep{store: s, options: o, before: before, folders: make(legacyFolders)}
	err = errors.Join(err, legacy.run(ctx))
	result.Folders, result.Parts = legacy.result.Folders, legacy.result.Parts
	return result, err
}
