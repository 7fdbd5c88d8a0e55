package registry

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

func file(p string, obj driver.Object) storagedriver.FileInfo {
	return storagedriver.FileInfoInternal{FileInfoFields: storagedriver.FileInfoFields{Path: p, Size: obj.Size, ModTime: obj.ModTime}}
}

func directory(p string) storagedriver.FileInfo {
	return storagedriver.FileInfoInternal{FileInfoFields: storagedriver.FileInfoFields{Path: p, IsDir: true, ModTime: time.Time{}}}
}

// children lists a directory, in the order of the names.
func (d *Driver) children(ctx context.Context, p string) ([]storagedriver.FileInfo, error) {
	prefix, err := dirPrefix(p)
	if err != nil {
		return nil, err
	}
	var infos []storagedriver.FileInfo
	for e, err := range driver.List(ctx, d.bucket, driver.ListRequest{Prefix: prefix, Delimiter: "/"}) {
		switch {
		case err != nil:
			return nil, d.fail(ctx, p, err)
		case layout.IsHidden(e.Key):
		case e.IsPrefix:
			infos = append(infos, directory("/"+strings.TrimSuffix(e.Key, "/")))
		default:
			infos = append(infos, file("/"+e.Key, e.Object))
		}
	}
	// Keys sort "a-b/" before "a/"; distribution wants "a" before "a-b".
	slices.SortFunc(infos, func(x, y storagedriver.FileInfo) int { return strings.Compare(x.Path(), y.Path()) })
	return infos, nil
}

func dirPrefix(p string) (string, error) {
	if p == "/" {
		return "", nil
	}
	key, err := fileKey(p)
	return key + "/", err
}

// Walk implements storagedriver.StorageDriver. Files and directories come in the
// order of a depth-first descent. Where names can't bring that and the store's
// order apart, the whole tree is listed page by page instead of directory by
// directory.
func (d *Driver) Walk(ctx context.Context, p string, f storagedriver.WalkFn, options ...func(*storagedriver.WalkOptions)) error {
	var o storagedriver.WalkOptions
	for _, opt := range options {
		opt(&o)
	}
	w := walk{driver: d, visit: f, after: o.StartAfterHint}
	var err error
	if onlyHex(p) {
		err = w.flat(ctx, p)
	} else {
		err = w.descend(ctx, p, true)
	}
	if errors.Is(err, storagedriver.ErrFilledBuffer) {
		return nil // the visitor has enough
	}
	return err
}

type walk struct {
	driver *Driver
	visit  storagedriver.WalkFn
	after  string // nothing up to this path in depth-first order is wanted
}

// onlyHex tells whether all names below p are digests: blobs, and the links to
// layers and manifest revisions.
func onlyHex(p string) bool {
	return strings.HasSuffix(p, "/blobs") || strings.Contains(p, "/_layers") || strings.Contains(p, "/_manifests/revisions")
}

func (w *walk) descend(ctx context.Context, p string, top bool) error {
	infos, err := w.driver.children(ctx, p)
	if err != nil {
		return err
	}
	if len(infos) == 0 && top && p != "/" {
		return storagedriver.PathNotFoundError{Path: p, DriverName: Name}
	}
	for _, fi := range infos {
		above := fi.IsDir() && strings.HasPrefix(w.after, fi.Path()+"/")
		if !above && !depthFirstLess(w.after, fi.Path()) {
			if !fi.IsDir() || fi.Path() != w.after {
				continue
			}
			above = true // the hint itself is not wanted, what it contains is
		}
		if !above {
			err := w.visit(fi)
			if errors.Is(err, storagedriver.ErrSkipDir) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if fi.IsDir() {
			if err := w.descend(ctx, fi.Path(), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// depthFirstLess orders paths as a descent meets them: "/" before all else.
func depthFirstLess(a, b string) bool {
	return strings.ReplaceAll(a, "/", "\x00") < strings.ReplaceAll(b, "/", "\x00")
}

// behind is a name that sorts behind all others in a directory.
const behind = "\U0010FFFF"

// flat lists all keys below p and makes up the directories in between.
func (w *walk) flat(ctx context.Context, p string) error {
	prefix, err := dirPrefix(p)
	if err != nil {
		return err
	}
	q := driver.ListRequest{Prefix: prefix, StartAfter: strings.TrimPrefix(w.after, "/")}
	found := false
	for {
		skip, err := w.flatUntilSkip(ctx, p, q, &found)
		if err != nil {
			return err
		}
		if skip == "" {
			break
		}
		q.StartAfter = strings.TrimPrefix(skip, "/") + "/" + behind
	}
	if !found && w.after == "" {
		return storagedriver.PathNotFoundError{Path: p, DriverName: Name}
	}
	return nil
}

// flatUntilSkip visits until the visitor wants a directory skipped, and returns
// that directory.
func (w *walk) flatUntilSkip(ctx context.Context, p string, q driver.ListRequest, found *bool) (skip string, err error) {
	dir := p // the innermost directory that was visited
	for e, err := range driver.List(ctx, w.driver.bucket, q) {
		if err != nil {
			return "", w.driver.fail(ctx, p, err)
		}
		*found = true
		name := "/" + e.Key
		for dir != p && !strings.HasPrefix(name, dir+"/") {
			dir = path.Dir(dir)
		}
		for {
			next, _, more := strings.Cut(name[len(dir)+1:], "/")
			if !more {
				break
			}
			dir += "/" + next
			err := w.visit(directory(dir))
			if errors.Is(err, storagedriver.ErrSkipDir) {
				return dir, nil
			}
			if err != nil {
				return "", err
			}
		}
		if layout.IsHidden(e.Key) {
			continue
		}
		if err := w.visit(file(name, e.Object)); err != nil && !errors.Is(err, storagedriver.ErrSkipDir) {
			return "", err
		}
	}
	return "", nil
}
