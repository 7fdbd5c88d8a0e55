package file_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// counter counts calls of the system.
type counter struct {
	calls   map[string]int
	folders map[string]int // how often each was read
}

func count(b *file.Bucket) *counter {
	c := &counter{}
	c.reset()
	file.Watch(b, func(call, path string) error {
		c.calls[call]++
		if call == "openFolder" {
			c.folders[path]++
		}
		return nil
	})
	return c
}

func (c *counter) reset() { c.calls, c.folders = make(map[string]int), make(map[string]int) }

const tagsPrefix = "v2/repositories/app/_manifests/tags/"

// manyTags makes a folder of tags, each with links.
func manyTags(t *testing.T, total int, links ...string) (dir string, prefixes []string) {
	t.Helper()
	dir = t.TempDir()
	for i := range total {
		prefix := fmt.Sprintf("%sv1.%04d/", tagsPrefix, i)
		prefixes = append(prefixes, prefix)
		for _, link := range links {
			path := filepath.Join(dir, filepath.FromSlash(prefix+link))
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, prefixes
}

// TestPageCost counts what a page of 100 tags out of a thousand costs: one folder is read, the
// first tag's is searched, and each tag costs a single call. The page behind it reads no
// folder.
func TestPageCost(t *testing.T) {
	const total, limit = 1001, 100
	const search = 2 // folders of a tag down to its link
	dir, all := manyTags(t, total, "current/link")
	b := open(t, dir, file.Options{NoSync: true})
	c := count(b)
	page := func(q driver.ListRequest, want []string, wantFolders int) driver.Page[driver.Entry] {
		t.Helper()
		c.reset()
		p, err := b.ListPage(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range p.Items {
			got = append(got, e.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("ListPage(%+v): %q", q, got)
		}
		if reads, stats := c.calls["openFolder"], c.calls["stat"]+c.calls["lstat"]; reads > wantFolders || stats > len(want)+1 {
			t.Errorf("ListPage(%+v) read %d folders and described %d files, want at most %d and %d", q, reads, stats, wantFolders, len(want)+1)
		}
		return p
	}
	q := driver.ListRequest{Prefix: tagsPrefix, Delimiter: "/", Limit: limit}
	_, _ = b.Stat(t.Context(), "x") // opens the root
	p := page(q, all[:limit], 1+search)
	q.Token = p.Next
	p = page(q, all[limit:2*limit], 0)
	q.Token = p.Next
	page(q, all[2*limit:3*limit], 0)
	// A page that is asked for again is read again.
	page(q, all[2*limit:3*limit], 1+search)
	page(driver.ListRequest{Prefix: tagsPrefix, Delimiter: "/", StartAfter: strings.TrimSuffix(all[500], "/"), Limit: limit}, all[500:500+limit], 1+search)

	c.reset()
	if got := keys(t, b, driver.ListRequest{Prefix: tagsPrefix, Delimiter: "/"}); !slices.Equal(got, all) {
		t.Errorf("List: %d tags", len(got))
	}
	if reads, stats := c.calls["openFolder"], c.calls["stat"]; reads > 1+search || stats > total+total/driver.MaxPage {
		t.Errorf("all tags: %d folders read, %d files described", reads, stats)
	}
}

// TestPageCostOfHistories lists tags that each have another history: what they all have is
// looked for, so that the folders of the first tag alone are read.
func TestPageCostOfHistories(t *testing.T) {
	const total = 100
	dir, all := manyTags(t, total, "current/link")
	for i, prefix := range all {
		path := filepath.Join(dir, filepath.FromSlash(prefix), "index", "sha256", fmt.Sprint(i), "link")
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, dir, file.Options{NoSync: true})
	_, _ = b.Stat(t.Context(), "x") // opens the root
	c := count(b)
	p, err := b.ListPage(t.Context(), driver.ListRequest{Prefix: tagsPrefix, Delimiter: "/"})
	if err != nil || len(p.Items) != total {
		t.Fatalf("%d of %d tags, %v", len(p.Items), total, err)
	}
	if n := len(c.folders); n != 3 { // the tags', and two of the first tag
		t.Errorf("%d folders were read, want 3: %v", n, slices.Sorted(maps.Keys(c.folders)))
	}
}

// TestFlatCost checks that a listing of whole keys reads each folder once, however many
// pages it has.
func TestFlatCost(t *testing.T) {
	dir, all := manyTags(t, 100, "current/link", "index/sha256/aa11/link")
	b := open(t, dir, file.Options{NoSync: true})
	c := count(b)
	got := keys(t, b, driver.ListRequest{Prefix: "v2/repositories/", Limit: 30})
	if len(got) != 2*len(all) || !slices.IsSorted(got) {
		t.Errorf("List: %d keys", len(got))
	}
	for dir, reads := range maps.All(c.folders) {
		if reads > 1 {
			t.Fatalf("%s was read %d times", dir, reads)
		}
	}
	if got, want := c.calls["stat"], len(got)+len(got)/30; got > want {
		t.Errorf("%d files described, want at most %d", got, want)
	}
}

// TestUnlikeFolders lists folders that are not alike, among them empty ones: each that has
// a key is listed.
func TestUnlikeFolders(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	var want []string
	for i, key := range []string{"a/x", "b/x/y", "c/x", "d/z", "e/x/y", "f/0/1/2/3"} {
		put(t, b, key, "x")
		want = append(want, key[:2])
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("%c-empty/x/y", key[0])), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, key[:1], fmt.Sprint(i), "empty"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{0, 1, 2} {
		if got := keys(t, b, driver.ListRequest{Delimiter: "/", Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", limit, got, want)
		}
	}
}

// TestListingSeesWhatWasThere checks that a listing that begins after a write sees it,
// though another one under way has read the folder before.
func TestListingSeesWhatWasThere(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	for _, key := range []string{"a", "b", "d", "e"} {
		put(t, b, key, "x")
	}
	q := driver.ListRequest{Limit: 2}
	before, err := b.ListPage(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	put(t, b, "c", "x")
	after, err := b.ListPage(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	q.Token = after.Next
	p, err := b.ListPage(t.Context(), q)
	if err != nil || len(p.Items) != 2 || p.Items[0].Key != "c" {
		t.Errorf("the second page of the later listing: %+v, %v", p, err)
	}
	// The earlier one delivers what was there all the time, and nothing that has gone.
	if err := b.Delete(t.Context(), "d", driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	q.Token = before.Next
	p, err = b.ListPage(t.Context(), q)
	if err != nil || len(p.Items) == 0 || p.Items[len(p.Items)-1].Key != "e" {
		t.Errorf("the second page of the earlier listing: %+v, %v", p, err)
	}
	for _, e := range p.Items {
		if e.Key == "d" {
			t.Error("the earlier listing delivers what has gone")
		}
	}
}

// TestManyListings has more listings under way than are kept.
func TestManyListings(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	var want []string
	for i := range 9 {
		key := fmt.Sprintf("a/%d/x", i)
		put(t, b, key, "x")
		want = append(want, key)
	}
	const listings = 100
	got, tokens := make([][]string, listings), make([]string, listings)
	for range 3 {
		for i := range listings {
			p, err := b.ListPage(t.Context(), driver.ListRequest{Limit: 3, Token: tokens[i]})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Items {
				got[i] = append(got[i], e.Key)
			}
			tokens[i] = p.Next
		}
	}
	for i := range listings {
		if !slices.Equal(got[i], want) || tokens[i] != "" {
			t.Fatalf("listing %d: %q, %q", i, got[i], tokens[i])
		}
	}
}
