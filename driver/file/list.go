package file

import (
	"cmp"
	"context"
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
	r, err := b.begin(ctx)
	if err = cmp.Or(err, q.Check()); err != nil {
		return driver.Page[driver.Entry]{}, err
	}
	from, err := listing.From(q)
	if err != nil {
		return driver.Page[driver.Entry]{}, err
	}
	w := &walk{root: r, ctx: ctx, q: q, from: from}
	// The walk begins in the deepest folder that all wanted keys share.
	dir := q.Prefix[:strings.LastIndex(q.Prefix, "/")+1]
	if dir != "" && checkKey(strings.TrimSuffix(dir, "/")) != nil {
		return w.page, nil // no key can lie there
	}
	start, err := r.OpenRoot("./" + dir)
	if isAbsent(err) {
		return w.page, nil
	}
	if err != nil {
		return w.page, err
	}
	defer func() { _ = start.Close() }()
	err = w.folder(start, dir)
	return w.page, err
}

// walk collects one page.
type walk struct {
	root *root
	ctx  context.Context
	q    driver.ListRequest
	from string // no key before it is wanted
	page driver.Page[driver.Entry]
	full bool
}

// name is an entry of a folder. Its key ends in "/" when it is a folder itself,
// so that entries sort as the keys in them do.
type name struct {
	key   string
	entry fs.DirEntry
}

// names are the entries of a folder that may hold wanted keys, in order.
func (w *walk) names(dir *os.Root, prefix string) ([]name, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	var all []name
	for _, e := range entries {
		n := name{key: prefix + e.Name(), entry: e}
		switch {
		case checkKey(n.key) != nil: // reserved, or a file that is no object
			continue
		case e.IsDir():
			n.key += "/"
			if listing.BehindPrefix(n.key) <= w.from {
				continue
			}
		case !e.Type().IsRegular() || n.key < w.from:
			continue
		}
		if strings.HasPrefix(n.key, w.q.Prefix) {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(x, y name) int { return cmp.Compare(x.key, y.key) })
	return all, nil
}

// folder adds what is in dir, whose keys begin with prefix.
func (w *walk) folder(dir *os.Root, prefix string) error {
	names, err := w.names(dir, prefix)
	if err != nil {
		return unlessAbsent(err)
	}
	for _, n := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.add(dir, n); err != nil || w.full {
			return err
		}
	}
	return nil
}

// add adds an entry of dir, or what is in it. Entries that go away meanwhile are
// left out.
func (w *walk) add(dir *os.Root, n name) error {
	if !n.entry.IsDir() {
		info, err := dir.Lstat(n.entry.Name())
		if err != nil || !info.Mode().IsRegular() {
			return unlessAbsent(err)
		}
		obj := w.root.object(n.key, info)
		obj.ContentType = ""
		w.emit(driver.Entry{Object: obj})
		return nil
	}
	sub, err := dir.OpenRoot(n.entry.Name())
	if err != nil {
		return unlessAbsent(err)
	}
	defer func() { _ = sub.Close() }()
	if listing.Rollup(w.q, n.key) == "" {
		return w.folder(sub, n.key)
	}
	some, err := w.holdsSome(sub, n.key)
	if some {
		w.emit(driver.Entry{Object: driver.Object{Key: n.key}, IsPrefix: true})
	}
	return err
}

// emit adds e, or finds that the page is full.
func (w *walk) emit(e driver.Entry) {
	if len(w.page.Items) == w.q.PageSize() {
		w.page.Next = listing.Token(e.Key)
		w.full = true
		return
	}
	w.page.Items = append(w.page.Items, e)
}

// holdsSome reports whether there is a wanted key below dir.
func (w *walk) holdsSome(dir *os.Root, prefix string) (bool, error) {
	names, err := w.names(dir, prefix)
	if err != nil {
		return false, unlessAbsent(err)
	}
	for _, n := range names {
		if err := w.ctx.Err(); err != nil {
			return false, err
		}
		if !n.entry.IsDir() {
			return true, nil
		}
		sub, err := dir.OpenRoot(n.entry.Name())
		if err != nil {
			if err = unlessAbsent(err); err != nil {
				return false, err
			}
			continue
		}
		some, err := w.holdsSome(sub, n.key)
		_ = sub.Close()
		if some || err != nil {
			return some, err
		}
	}
	return false, nil
}
