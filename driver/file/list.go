package file

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/listing"
)

// ListPage lists in the byte order of whole keys, which is not that of a plain
// walk: "a-b" comes before "a/b", though "a" comes before "a-b".
func (b *Bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	p, err := b.listPage(ctx, q)
	if err != nil {
		return driver.Page[driver.Entry]{}, fail(driver.OpList, q.Prefix, err)
	}
	return p, nil
}

func (b *Bucket) listPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	none := driver.Page[driver.Entry]{}
	if err := cmp.Or(b.begin(ctx), q.Check()); err != nil {
		return none, err
	}
	var before place
	q.Token, before = b.listings.take(q.Token)
	from, err := listing.From(q)
	if err != nil {
		return none, err
	}
	// The walk begins in the deepest folder that all wanted keys share.
	prefix := q.Prefix[:strings.LastIndex(q.Prefix, "/")+1]
	if prefix != "" && checkKey(strings.TrimSuffix(prefix, "/")) != nil {
		return none, nil // no key can lie there
	}
	w := &walk{bucket: b, ctx: ctx, q: q, from: from, first: before.first, before: before.rest}
	defer w.close()
	names, err := w.names(prefix, false)
	if err == nil {
		err = w.all(prefix, names)
	} else if leadsNowhere(err) {
		if prefix != "" {
			err = b.absent(strings.TrimSuffix(prefix, "/"))
		}
		err = unlessAbsent(err)
	}
	if err == nil && w.full {
		w.page.Next = b.listings.keep(w.page.Next, place{w.rest, w.first})
	}
	return w.page, err
}

// walk collects one page.
type walk struct {
	bucket *Bucket
	ctx    context.Context
	q      driver.ListRequest
	from   string // no key before it is wanted
	page   driver.Page[driver.Entry]
	full   bool
	// before and rest are the names of folders that the page before and this one did not
	// get to, by the folders' prefixes.
	before, rest map[string][]name
	// first is the key that was found in the last common prefix, relative to it.
	first string
	// folder is that of the common prefixes, opened by the first of them.
	folder *os.File
}

func (w *walk) close() {
	if w.folder != nil {
		_ = w.folder.Close()
	}
}

// name is an entry of a folder. That of a folder ends in "/", so that entries sort as
// the keys in them do.
type name struct {
	name string
	link bool
}

func byName(x, y name) int { return strings.Compare(x.name, y.name) }

func (n name) isFolder() bool { return strings.HasSuffix(n.name, "/") }

// isKey reports whether the entry of the folder of prefix can be part of a key.
func (n name) isKey(prefix string) bool {
	own := strings.TrimSuffix(n.name, "/")
	return len(prefix)+len(own) <= driver.MaxKey && own != reserved && driver.CheckKey(own) == nil
}

// wanted reports whether there may be wanted keys at an entry of the folder of prefix,
// whose own key is prefix+name.
func (w *walk) wanted(prefix, name string) bool {
	if !strings.HasPrefix(name, w.q.Prefix[min(len(prefix), len(w.q.Prefix)):]) {
		return false
	}
	from, inside := strings.CutPrefix(w.from, prefix)
	switch {
	case !inside:
		return w.from < prefix
	case strings.HasSuffix(name, "/"):
		return listing.BehindPrefix(name) > from
	}
	return name >= from
}

// name makes a name of an entry of the folder of prefix, and reports whether it may hold
// wanted keys.
func (w *walk) name(prefix string, e fs.DirEntry) (name, bool, error) {
	n := name{name: e.Name()}
	folder := e.IsDir()
	if e.Type() == fs.ModeSymlink {
		if !w.wanted(prefix, n.name) && !w.wanted(prefix, n.name+"/") {
			return n, false, nil
		}
		info, err := w.bucket.follow(prefix + n.name)
		if info == nil || err != nil {
			return n, false, err
		}
		n.link, folder = true, info.IsDir()
		if !folder && !info.Mode().IsRegular() {
			return n, false, nil
		}
	} else if !folder && !e.Type().IsRegular() {
		return n, false, nil
	}
	if folder {
		n.name += "/"
	}
	return n, w.wanted(prefix, n.name), nil
}

// follow describes what the symlink at key leads to: nil where listings leave it out.
func (b *Bucket) follow(key string) (fs.FileInfo, error) {
	info, err := b.disk.stat(b.path(key))
	switch {
	case err == nil:
		return info, nil
	case mayHide(key[strings.LastIndex(key, "/")+1:], err):
		return nil, nil
	case leadsNowhere(err):
		return nil, b.brokenLink(b.path(key))
	}
	return nil, err
}

// open opens the folder of prefix: nil where listings leave it out.
func (w *walk) open(prefix string, link bool) (*os.File, error) {
	if err := w.ctx.Err(); err != nil {
		return nil, err
	}
	if link {
		if err := w.bucket.checkLoop(prefix); err != nil {
			return nil, unlessAbsent(err)
		}
	}
	return w.bucket.disk.openFolder(w.bucket.path(cmp.Or(strings.TrimSuffix(prefix, "/"), ".")))
}

// names are the entries of a folder that may hold wanted keys, in order.
func (w *walk) names(prefix string, link bool) ([]name, error) {
	if names, ok := w.before[prefix]; ok {
		return names, nil
	}
	f, err := w.open(prefix, link)
	if err != nil || f == nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	var names []name
	for _, e := range entries {
		n, ok, err := w.name(prefix, e)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, byName)
	return names, nil
}

// all adds entries of the folder of prefix, or what is in them.
func (w *walk) all(prefix string, names []name) error {
	for i, n := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.add(prefix, n); err != nil {
			return err
		}
		if w.full {
			w.rest[prefix] = names[i:]
			return nil
		}
	}
	return nil
}

// skipped is nil for the error of a folder below the one that is listed that listings
// leave out: it has gone meanwhile, or is none of ours.
func skipped(n name, err error) error {
	if isAbsent(err) || mayHide(strings.TrimSuffix(n.name, "/"), err) {
		return nil
	}
	return err
}

// add adds an entry, or what is in it. Entries that go away meanwhile are left out.
func (w *walk) add(prefix string, n name) error {
	key := prefix + n.name
	switch {
	case !n.isKey(prefix):
		return nil // a file that is no object
	case !w.wanted(prefix, n.name):
		return nil // of those of the page before
	case !n.isFolder():
		info, err := w.bucket.disk.stat(w.bucket.path(key))
		if err != nil || !info.Mode().IsRegular() {
			return unlessAbsent(err)
		}
		obj := object(key, info)
		obj.ContentType = ""
		w.emit(driver.Entry{Object: obj})
		return nil
	case listing.Rollup(w.q, key) == "":
		names, err := w.names(key, n.link)
		if err != nil {
			return skipped(n, err)
		}
		return w.all(key, names)
	}
	some, err := w.holdsSome(prefix, n)
	if some {
		w.emit(driver.Entry{Object: driver.Object{Key: key}, IsPrefix: true})
	}
	return err
}

// emit adds e, or finds that the page is full.
func (w *walk) emit(e driver.Entry) {
	if len(w.page.Items) == w.q.PageSize() {
		w.page.Next = listing.Token(e.Key)
		w.full, w.rest = true, make(map[string][]name)
		return
	}
	w.page.Items = append(w.page.Items, e)
}

// holdsSome reports whether there is a wanted key in a folder in the one of prefix.
// Folders side by side are mostly alike, so that it looks first for the key that was found
// in the one before: that takes one call, and no folder is read.
func (w *walk) holdsSome(prefix string, n name) (bool, error) {
	key := prefix + n.name
	if w.first != "" {
		if w.folder == nil {
			var err error
			if w.folder, err = w.bucket.disk.open(w.bucket.path(cmp.Or(strings.TrimSuffix(prefix, "/"), "."))); err != nil {
				return false, unlessAbsent(err)
			}
		}
		if w.bucket.disk.isFile(w.folder, n.name+w.first) {
			return true, nil
		}
	}
	found, err := w.search(key, n)
	if found != "" {
		w.first = found[len(key):]
	}
	return found != "", err
}

// few is how many entries of a folder are read at a time in search of one key.
const few = 64

// search finds a wanted key in the folder of prefix.
func (w *walk) search(prefix string, n name) (key string, err error) {
	f, err := w.open(prefix, n.link)
	if err != nil || f == nil {
		return "", skipped(n, err)
	}
	defer func() { _ = f.Close() }()
	for {
		entries, err := f.ReadDir(few)
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", unlessAbsent(err)
		}
		var folders []name
		for _, e := range entries {
			n, ok, err := w.name(prefix, e)
			switch {
			case err != nil:
				return "", err
			case !ok || !n.isKey(prefix):
			case !n.isFolder():
				return prefix + n.name, nil
			default:
				folders = append(folders, n)
			}
		}
		// In order, so that folders side by side show the same key as far as may be: that of
		// a tag's present manifest, and not of one that it once was.
		slices.SortFunc(folders, byName)
		for _, n := range folders {
			if key, err := w.search(prefix+n.name, n); key != "" || err != nil {
				return key, err
			}
		}
	}
}
