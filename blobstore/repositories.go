package blobstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// lastRune sorts behind all others.
const lastRune = "\U0010FFFF"

// Repositories delivers the names of all repositories that have a manifest and
// come after last, "" for all, in distribution's order: component by component.
//
// It lists keys by whole pages and jumps over what lies inside a repository, so
// that it takes about one request for a page of keys or a large repository,
// whichever is less.
func (s *Store) Repositories(ctx context.Context, last string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, r := range regions(last) {
			n := &names{store: s, yield: yield, after: last}
			if !n.scan(ctx, r) || !n.flush("") {
				return
			}
		}
	}
}

// region is keys of one directory's tree, with the repositories' root cut off:
// those with the prefix dir that come after start and before end.
type region struct {
	dir    string
	ranges []keyRange
}

type keyRange struct{ start, end string } // end "" is none

// regions are where the names after last are, in the order of the names: below
// last itself, then in its directory, then in the one above that, and so on.
//
// In a directory, names that come after "c" have keys on both sides of those that
// begin with "c/": "c-d/" comes before, "d/" behind. The latter are among others:
// "a/" comes behind "a-b/".
func regions(last string) []region {
	if last == "" {
		return []region{{ranges: []keyRange{{}}}}
	}
	all := []region{{dir: last + "/", ranges: []keyRange{{}}}}
	for rest := last; ; {
		dir := rest[:strings.LastIndexByte(rest, '/')+1]
		all = append(all, region{dir, []keyRange{{rest, rest + "/"}, {rest + "/" + lastRune, ""}}})
		if dir == "" {
			return all
		}
		rest = strings.TrimSuffix(dir, "/")
	}
}

// names puts names into order. Keys come in another one: "a-b/" before "a/".
type names struct {
	store   *Store
	yield   func(string, error) bool
	pending []string // in order; a name that belongs before them may yet come
	after   string   // only names after it are wanted
	last    string   // the name found last
}

// scan finds the names in r, and reports whether to go on.
func (n *names) scan(ctx context.Context, r region) bool {
	root := n.store.layout.Repositories()
	for _, k := range r.ranges {
		q := driver.ListRequest{Prefix: root + r.dir}
		if k.start != "" {
			q.StartAfter = root + k.start
		}
		for more := true; more; {
			page, err := n.store.bucket.ListPage(ctx, q)
			if err != nil {
				n.yield("", fmt.Errorf("repositories: %w", err))
				return false
			}
			inside := ""
			for _, e := range page.Items {
				key := strings.TrimPrefix(e.Key, root)
				if k.end != "" && key >= k.end {
					page.Next = ""
					break
				}
				name, own, ok := strings.Cut(key, "/_")
				if inside = ""; !ok {
					continue
				}
				kind, _, _ := strings.Cut(own, "/")
				inside = name + "/_" + kind + "/"
				if kind == "manifests" && name != n.last && compareNames(name, n.after) > 0 {
					n.last = name
					if !n.add(name, key) {
						return false
					}
				}
			}
			q.Token, more = page.Next, page.Next != ""
			if more && inside != "" {
				q.Token, q.StartAfter = "", root+inside+lastRune
			}
		}
	}
	return true
}

// add takes a name that was found at key.
func (n *names) add(name, key string) bool {
	i, _ := slices.BinarySearchFunc(n.pending, name, compareNames)
	n.pending = slices.Insert(n.pending, i, name)
	return n.flush(key)
}

// flush delivers the names before which none can come any more once keys have got
// to key; all of them for "".
func (n *names) flush(key string) bool {
	for len(n.pending) > 0 && (key == "" || key > barrier(n.pending[0])) {
		name := n.pending[0]
		n.pending = n.pending[1:]
		if !n.yield(name, nil) {
			return false
		}
	}
	return true
}

// barrier is the last key at which a name may be found that comes before name:
// "a" and all below it, for "a-b".
func barrier(name string) string {
	at := 0
	for {
		end := strings.IndexByte(name[at:], '/')
		part := name[at:]
		if end >= 0 {
			part = part[:end]
		}
		if i := strings.IndexAny(part, "-."); i >= 0 {
			return name[:at+i] + "/" + lastRune
		}
		if end < 0 {
			return "" // nothing
		}
		at += end + 1
	}
}

// compareNames orders names component by component.
func compareNames(a, b string) int {
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}
