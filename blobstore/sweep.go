package blobstore

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// SweepOptions say what a sweep takes away.
type SweepOptions struct {
	// OlderThan is how long an upload must not have been touched; 24 h.
	OlderThan time.Duration
	// DryRun reports and removes nothing.
	DryRun bool
	// Found is called for everything that is removed, or would be.
	Found func(Orphan)
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
	OrphanSession OrphanKind = "session" // an upload of blobdock's, with all its parts
	OrphanFolder  OrphanKind = "folder"  // an upload of distribution's own drivers
	OrphanParts   OrphanKind = "parts"   // a multipart upload that belongs to no session
)

// SweepResult counts what was removed, or would be.
type SweepResult struct{ Sessions, Folders, Parts int }

// Sweep removes uploads that were abandoned: sessions with their parts, upload
// folders that distribution's own drivers left, and multipart uploads that no
// session knows. It goes on after a failure and returns all of them joined.
//
// Uploads under way are told by age alone, so OlderThan must exceed the longest
// time that passes between two requests of one upload.
func (s *Store) Sweep(ctx context.Context, o SweepOptions) (SweepResult, error) {
	if o.OlderThan == 0 {
		o.OlderThan = 24 * time.Hour
	}
	if o.Found == nil {
		o.Found = func(Orphan) {}
	}
	sw := &sweep{store: s, options: o, before: time.Now().Add(-o.OlderThan), folders: make(map[string]*folder)}
	if err := sw.collect(ctx); err != nil {
		return sw.result, err
	}
	var errs []error
	for dir, f := range sw.folders {
		if ctx.Err() != nil {
			return sw.result, errors.Join(append(errs, ctx.Err())...)
		}
		errs = append(errs, sw.folder(ctx, dir, f))
	}
	errs = append(errs, sw.uploads(ctx))
	return sw.result, errors.Join(errs...)
}

type sweep struct {
	store   *Store
	options SweepOptions
	before  time.Time
	folders map[string]*folder
	result  SweepResult
}

// folder is what lies in one upload's folder, or one hidden session.
type folder struct {
	session string // key of the session object, "" when there is none
	keys    []string
	touched time.Time // the youngest object's
}

func (sw *sweep) collect(ctx context.Context) error {
	l := sw.store.layout
	for e, err := range driver.List(ctx, sw.store.bucket, driver.ListRequest{Prefix: l.Repositories()}) {
		if err != nil {
			return fmt.Errorf("repositories: %w", err)
		}
		name, ok := l.Parse(e.Key)
		dir, hidden := name.Dir, IsHidden(e.Key)
		if hidden {
			dir = e.Key
		} else if !ok || name.Kind != layout.Upload {
			continue
		}
		f := sw.folders[dir]
		if f == nil {
			f = new(folder)
			sw.folders[dir] = f
		}
		f.keys = append(f.keys, e.Key)
		if hidden || e.Key == dir+"/"+sessionName {
			f.session = e.Key
		}
		if e.ModTime.After(f.touched) {
			f.touched = e.ModTime
		}
	}
	return nil
}

func (sw *sweep) folder(ctx context.Context, dir string, f *folder) error {
	if !f.touched.Before(sw.before) {
		return nil
	}
	if f.session == "" {
		return sw.remove(Orphan{Kind: OrphanFolder, Key: dir, Touched: f.touched}, &sw.result.Folders, func() error {
			return errors.Join(sw.store.abortStrays(ctx, dir+"/"+dataName), driver.DeleteAll(ctx, sw.store.bucket, driver.Refs(f.keys...)))
		})
	}
	return sw.remove(Orphan{Kind: OrphanSession, Key: f.session, Touched: f.touched}, &sw.result.Sessions, func() error {
		return errors.Join(sw.store.DropSession(ctx, f.session, sw.before), driver.DeleteAll(ctx, sw.store.bucket, driver.Refs(f.keys...)))
	})
}

// remove reports an orphan, has it removed, and counts it when it is.
func (sw *sweep) remove(o Orphan, count *int, do func() error) error {
	sw.options.Found(o)
	if !sw.options.DryRun {
		if err := do(); err != nil {
			return fmt.Errorf("%s %s: %w", o.Kind, o.Key, err)
		}
	}
	*count++
	return nil
}

// DropSession aborts everything that the session at key knows of, and deletes
// it. Uploads at a key that others may use, too, are only aborted when they were
// begun before then. A session that can't be decoded is deleted: nothing can
// resume it. An absent one is nil.
func (s *Store) DropSession(ctx context.Context, key string, then time.Time) error {
	sess, tail, err := loadSession(ctx, s.bucket, key)
	switch {
	case errors.Is(err, driver.NotFound):
		return nil
	case errors.Is(err, driver.Corrupt):
		return errors.Join(s.abortStrays(ctx, path.Dir(key)+"/"+dataName), s.bucket.Delete(ctx, key, driver.DeleteOptions{}))
	case err != nil:
		return err
	}
	_ = tail.Close()
	private := s.privateKey(sess)
	for _, shared := range append(slices.Clip(sess.Strays), sess.Staged.Key) {
		if shared == "" || shared == private {
			continue
		}
		if err := s.abortBefore(ctx, shared, then); err != nil {
			return err
		}
	}
	sess.Strays = slices.DeleteFunc(sess.Strays, func(key string) bool { return key != private })
	return s.dropUpload(ctx, sess, sess.Staged, false)
}

// abortBefore aborts the uploads to key that were begun before then.
func (s *Store) abortBefore(ctx context.Context, key string, then time.Time) error {
	for u, err := range driver.ListUploads(ctx, s.bucket, driver.ListRequest{Prefix: key}) {
		if err != nil {
			return err
		}
		// Where the store does not tell, in Azure, an abort here would do nothing.
		if u.Key != key || u.Started.IsZero() || !u.Started.Before(then) {
			continue
		}
		if err := s.bucket.AbortUpload(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// uploads aborts old uploads that no young session holds on to.
func (sw *sweep) uploads(ctx context.Context) error {
	var old []driver.Upload
	for u, err := range driver.ListUploads(ctx, sw.store.bucket, driver.ListRequest{Prefix: sw.store.layout.Root + "/"}) {
		if err != nil {
			return fmt.Errorf("uploads: %w", err)
		}
		if u.Started.Before(sw.before) {
			old = append(old, u)
		}
	}
	if len(old) == 0 {
		return nil
	}
	held, err := sw.held(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, u := range old {
		if held[u.Key] {
			continue
		}
		if young, err := sw.begunMeanwhile(ctx, u); err != nil || young {
			errs = append(errs, err)
			continue
		}
		o := Orphan{Kind: OrphanParts, Key: u.Key, ID: u.ID, Touched: u.Started}
		errs = append(errs, sw.remove(o, &sw.result.Parts, func() error { return sw.store.bucket.AbortUpload(ctx, u) }))
	}
	return errors.Join(errs...)
}

// begunMeanwhile tells whether u, of which the store does not tell when it began,
// belongs to a session after all: one that the listing of sessions came too early
// for. A session is there before the first part is.
func (sw *sweep) begunMeanwhile(ctx context.Context, u driver.Upload) (bool, error) {
	if !u.Started.IsZero() {
		return false, nil
	}
	name, ok := sw.store.layout.Parse(u.Key)
	if !ok || name.Kind != layout.Upload {
		return false, nil
	}
	_, err := sw.store.bucket.Stat(ctx, name.Dir+"/"+sessionName)
	if errors.Is(err, driver.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// held is the keys that uploads in young sessions stage at: a long push may be
// older than OlderThan and still go on.
func (sw *sweep) held(ctx context.Context) (map[string]bool, error) {
	held := make(map[string]bool)
	for dir, f := range sw.folders {
		if f.touched.Before(sw.before) {
			continue
		}
		held[dir+"/"+dataName] = true
		if f.session == "" {
			continue
		}
		sess, tail, err := loadSession(ctx, sw.store.bucket, f.session)
		if errors.Is(err, driver.NotFound) || errors.Is(err, driver.Corrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_ = tail.Close()
		held[sess.Staged.Key] = true
	}
	return held, nil
}
