package drivertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
)

// listKeys sort differently as bytes, as words and as a walk through folders.
var listKeys = []string{
	"B", "a-b", "a.b", "a/b", "a/b-c", "a/c/d", "a/c0", "a0", "aa/x", "b b", "b%20b", "z/1", "z/10", "z/2", "~", "é", "日本/語", "𝛼",
}

func fill(t testing.TB, b driver.Bucket, keys []string) {
	t.Helper()
	g, _ := errgroup.WithContext(t.Context())
	g.SetLimit(8)
	for _, key := range keys {
		g.Go(func() error {
			_, err := b.Put(t.Context(), key, section([]byte(key)), driver.WriteOptions{})
			return err
		})
	}
	noError(t, "Put", g.Wait())
}

func listOrder(t *testing.T, s suite) {
	b := s.New(t)
	if got := keysOf(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Fatalf("an empty bucket lists %q", got)
	}
	shuffled := slices.Concat(listKeys[9:], listKeys[:9])
	fill(t, b, shuffled)
	if diff := cmp.Diff(slices.Sorted(slices.Values(listKeys)), keysOf(t, b, driver.ListRequest{})); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		noError(t, "List", err)
		obj := must[driver.Object](t, "Stat")(b.Stat(t.Context(), e.Key))
		if e.IsPrefix || e.Size != obj.Size || e.ETag != obj.ETag {
			t.Errorf("entry %+v differs from Stat %+v", e, obj)
		}
		if e.ModTime.IsZero() {
			t.Errorf("entry %q has no time", e.Key)
		}
	}
}

// wantEntries is q carried out on keys by the letter of the contract.
func wantEntries(keys []string, q driver.ListRequest) []string {
	want := []string{}
	for _, key := range slices.Sorted(slices.Values(keys)) {
		rest, ok := strings.CutPrefix(key, q.Prefix)
		if !ok || key <= q.StartAfter {
			continue
		}
		if q.Delimiter != "" {
			if i := strings.Index(rest, q.Delimiter); i >= 0 {
				key = q.Prefix + rest[:i+1]
			}
		}
		if len(want) == 0 || want[len(want)-1] != key {
			want = append(want, key)
		}
	}
	return want
}

// listPages goes through the same listings in pages of every small size.
func listPages(t *testing.T, s suite) {
	b := s.New(t)
	fill(t, b, listKeys)
	for _, q := range []driver.ListRequest{
		{}, {Delimiter: "/"}, {Prefix: "a"}, {Prefix: "a", Delimiter: "/"}, {Prefix: "a/", Delimiter: "/"}, {StartAfter: "a0"},
	} {
		want := wantEntries(listKeys, q)
		for _, limit := range []int{1, 2, 3, len(want), 1000, 5000} {
			q := q
			q.Limit = limit
			got := []string{}
			for pages := 0; ; pages++ {
				p, err := b.ListPage(t.Context(), q)
				noError(t, fmt.Sprintf("ListPage(%+v)", q), err)
				if len(p.Items) > limit {
					t.Errorf("ListPage(%+v): %d items", q, len(p.Items))
				}
				for _, e := range p.Items {
					got = append(got, e.Key)
				}
				if p.Next == "" {
					break
				}
				if q.Token = p.Next; pages > 2*len(want) {
					t.Fatalf("ListPage(%+v): no end after %d pages", q, pages)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %+v (-want +got):\n%s", q, diff)
			}
		}
	}
}

func listDelimiter(t *testing.T, s suite) {
	b := s.New(t)
	fill(t, b, listKeys)
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/c", "a/c/", "z/", "z/1", "B", "none", "none/", "日本/", "b "} {
		for _, delimiter := range []string{"", "/"} {
			q := driver.ListRequest{Prefix: prefix, Delimiter: delimiter}
			if diff := cmp.Diff(wantEntries(listKeys, q), keysOf(t, b, q)); diff != "" {
				t.Errorf("List(%+v) (-want +got):\n%s", q, diff)
			}
		}
	}
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Delimiter: "/"}) {
		noError(t, "List", err)
		if e.IsPrefix != strings.HasSuffix(e.Key, "/") {
			t.Errorf("entry %+v: IsPrefix is wrong", e)
		}
	}
}

func listStartAfter(t *testing.T, s suite) {
	b := s.New(t)
	fill(t, b, listKeys)
	for _, after := range append([]string{"A", "a", "a/", "a/bb", "zz", "~~", "\U0010ffff"}, listKeys...) {
		for _, prefix := range []string{"", "a/", "z"} {
			q := driver.ListRequest{Prefix: prefix, StartAfter: after}
			if diff := cmp.Diff(wantEntries(listKeys, q), keysOf(t, b, q)); diff != "" {
				t.Errorf("List(%+v) (-want +got):\n%s", q, diff)
			}
		}
	}
	// With a delimiter stores differ about a place inside a common prefix, so
	// only places between entries are looked at.
	for _, after := range []string{"B", "a.b", "a0", "b b", "~", "é"} {
		q := driver.ListRequest{StartAfter: after, Delimiter: "/"}
		if diff := cmp.Diff(wantEntries(listKeys, q), keysOf(t, b, q)); diff != "" {
			t.Errorf("List(%+v) (-want +got):\n%s", q, diff)
		}
	}
}

func listWhileDeleting(t *testing.T, s suite) {
	b := s.New(t)
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("d%d/key-%02d", i/5, i))
	}
	fill(t, b, keys)
	var got []string
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Limit: 3}) {
		noError(t, "List", err)
		got = append(got, e.Key)
		noError(t, "Delete", b.Delete(t.Context(), e.Key, driver.DeleteOptions{}))
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("List while its entries are deleted (-want +got):\n%s", diff)
	}
	if got := keysOf(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
	if got := keysOf(t, b, driver.ListRequest{Delimiter: "/"}); len(got) != 0 {
		t.Errorf("common prefixes without objects: %q", got)
	}
}

// listThousand is about the largest page.
func listThousand(t *testing.T, s suite) {
	b := s.New(t)
	var keys []string
	for i := range driver.MaxPage + 5 {
		keys = append(keys, fmt.Sprintf("key-%04d", i))
	}
	fill(t, b, keys)
	for _, limit := range []int{0, driver.MaxPage, 999} {
		p, err := b.ListPage(t.Context(), driver.ListRequest{Limit: limit})
		noError(t, "ListPage", err)
		if len(p.Items) > driver.MaxPage || p.Next == "" {
			t.Errorf("first page of limit %d: %d items, next %q", limit, len(p.Items), p.Next)
		}
		if diff := cmp.Diff(keys, keysOf(t, b, driver.ListRequest{Limit: limit})); diff != "" {
			t.Errorf("List in pages of %d (-want +got):\n%s", limit, diff)
		}
	}
}
