package registry

import (
	"context"
	"errors"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"golang.org/x/sync/errgroup"

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
		if err != nil {
			return nil, d.fail(ctx, p, err)
		}
		infos = appendInfo(infos, e)
	}
	sortByPath(infos)
	return infos, nil
}

func appendInfo(infos []storagedriver.FileInfo, e driver.Entry) []storagedriver.FileInfo {
	switch {
	case layout.IsHidden(e.Key):
		return infos
	case e.IsPrefix:
		return append(infos, directory("/"+strings.TrimSuffix(e.Key, "/")))
	default:
		return append(infos, file("/"+e.Key, e.Object))
	}
}

// sortByPath puts "a" before "a-b". Keys sort "a-b/" before "a/".
func sortByPath(infos []storagedriver.FileInfo) {
	slices.SortFunc(infos, func(x, y storagedriver.FileInfo) int { return strings.Compare(x.Path(), y.Path()) })
}

// childrenFrom is children from the name first on, or all for "", without a file of that
// name. It asks for a page only when the names before are used up.
//
// In a page's order names are missing that come before some of its names and whose keys
// are behind the page: "a" when the page ends with "a-b/". There are as many as the page's
// last name has such beginnings, and each is looked up by a request of its own.
func (d *Driver) childrenFrom(ctx context.Context, p, first string) iter.Seq2[storagedriver.FileInfo, error] {
	return func(yield func(storagedriver.FileInfo, error) bool) {
		prefix, err := dirPrefix(p)
		if err != nil {
			yield(nil, err)
			return
		}
		q := driver.ListRequest{Prefix: prefix, Delimiter: "/", Limit: d.bucket.Features().PageSize}
		if first != "" {
			q.StartAfter = prefix + first
		}
		reached := "/" + prefix + first // all paths before it have been delivered
		early := make(map[string]bool)  // delivered before their place among the keys
		for {
			page, err := d.bucket.ListPage(ctx, q)
			if err != nil {
				yield(nil, d.fail(ctx, p, err))
				return
			}
			var infos []storagedriver.FileInfo
			for _, e := range page.Items {
				infos = appendInfo(infos, e)
			}
			infos = slices.DeleteFunc(infos, func(fi storagedriver.FileInfo) bool { return early[fi.Path()] })
			if n := len(page.Items); n > 0 && page.Next != "" {
				shorter := beginnings("/"+prefix, "/"+strings.TrimSuffix(page.Items[n-1].Key, "/"))
				shorter = slices.DeleteFunc(shorter, func(dir string) bool { return dir < reached || early[dir] })
				dirs, err := d.existing(ctx, shorter)
				if err != nil {
					yield(nil, d.fail(ctx, p, err))
					return
				}
				for _, dir := range dirs {
					early[dir.Path()] = true
				}
				infos = append(infos, dirs...)
			}
			sortByPath(infos)
			for _, fi := range infos {
				reached = fi.Path()
				if !yield(fi, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.Token = page.Next
		}
	}
}

// beginnings are the paths of directories whose keys sort behind last, and which come
// before it as paths: what of last comes before a character that sorts before "/".
func beginnings(dir, last string) (shorter []string) {
	for i := len(dir) + 1; i < len(last); i++ {
		if last[i] < '/' {
			shorter = append(shorter, last[:i])
		}
	}
	return shorter
}

// existing are those of the directories that there are.
func (d *Driver) existing(ctx context.Context, paths []string) ([]storagedriver.FileInfo, error) {
	there := make([]bool, len(paths))
	g, gctx := errgroup.WithContext(ctx)
	for i, p := range paths {
		g.Go(func() (err error) {
			there[i], err = d.holdsSome(gctx, p)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var infos []storagedriver.FileInfo
	for i, p := range paths {
		if there[i] && !layout.IsHidden(p[1:]+"/") {
			infos = append(infos, directory(p))
		}
	}
	return infos, nil
}

// holdsSome reports whether there is a key below the directory p.
func (d *Driver) holdsSome(ctx context.Context, p string) (bool, error) {
	for _, err := range driver.List(ctx, d.bucket, driver.ListRequest{Prefix: p[1:] + "/", Limit: 1}) {
		return err == nil, err
	}
	return false, nil
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
	first := ""
	if below, ok := strings.CutPrefix(w.after, strings.TrimSuffix(p, "/")+"/"); ok {
		first, _, _ = strings.Cut(below, "/")
	}
	found := false
	for fi, err := range w.driver.childrenFrom(ctx, p, first) {
		if err != nil {
			return err
		}
		found = true
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
	if found || !top || p == "/" {
		return nil
	}
	// There may be names before the first that was listed.
	if some, err := w.driver.holdsSome(ctx, p); some || err != nil {
		return w.driver.fail(ctx, p, err)
	}
	return storagedriver.PathNotFoundError{Path: p, DriverName: Name}
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
