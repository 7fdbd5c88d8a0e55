package manifests_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/manifests"
)

// smallPages is a bucket whose pages have few entries.
type smallPages struct {
	driver.Bucket
	size int
}

func (b smallPages) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	if q.Limit == 0 || q.Limit > b.size {
		q.Limit = b.size
	}
	return b.Bucket.ListPage(ctx, q)
}

// pages reads all tags after last, page by page.
func pages(t *testing.T, tags manifests.Tags, limit int, last string) (all []string) {
	t.Helper()
	for {
		page, err := tags.List(t.Context(), limit, last)
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if len(page) > limit || err == nil && len(page) == 0 {
			t.Fatalf("page of %d: %v", limit, page)
		}
		all = append(all, page...)
		if err != nil {
			return all
		}
		last = page[len(page)-1]
	}
}

// TestForeignFiles lists tags among what other programs leave in a folder of tags.
func TestForeignFiles(t *testing.T) {
	b := mem.New()
	prefix := keys.Tags("a")
	for _, name := range []string{".DS_Store", "._v1", "Thumbs.db", "desktop.ini", "v1.bak", "@eaDir/v1", "lost+found/v1", ".snapshot/v1/current/link", "#recycle/v1/current/link", "~v1/current/link"} {
		write(t, b, prefix+name, "x")
	}
	d := digest.FromString("x")
	for _, tag := range []string{"v1", "v2"} {
		write(t, b, keys.TagLink("a", tag), d.String())
		write(t, b, keys.TagIndexLink("a", tag, d), d.String())
		write(t, b, prefix+tag+"/.DS_Store", "x")
	}
	tags := newReplica(t, b).repository("a", deleting).Tags()
	for _, limit := range []int{1, 2, 100} {
		if got := pages(t, tags, limit, ""); !slices.Equal(got, []string{"v1", "v2"}) {
			t.Errorf("in pages of %d: %q", limit, got)
		}
	}
	if got, err := tags.All(t.Context()); err != nil || !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("All: %q, %v", got, err)
	}
	if got, err := tags.Lookup(t.Context(), v1.Descriptor{Digest: d}); err != nil || !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("Lookup: %q, %v", got, err)
	}
}

// TestPages compares pages of all sizes, of the caller and of the store, with tags in order.
func TestPages(t *testing.T) {
	const letters = "v1.-_0aA"
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 400 {
		b := mem.New()
		want := map[string]bool{}
		for range rng.IntN(40) {
			tag := "v"
			for range rng.IntN(6) {
				tag += string(letters[rng.IntN(len(letters))])
			}
			if rng.IntN(3) == 0 { // as releases have them
				tag += "-rc"
			}
			want[tag] = true
			write(t, b, keys.TagLink("a", tag), digest.FromString("x").String())
		}
		write(t, b, keys.TagLink("a", ".bad"), "x")
		write(t, b, keys.RevisionLink("a", digest.FromString("x")), "x")
		sorted := make([]string, 0, len(want))
		for tag := range want {
			sorted = append(sorted, tag)
		}
		slices.Sort(sorted)
		size, limit := 1+rng.IntN(12), 1+rng.IntN(12)
		tags := newReplica(t, smallPages{b, size}).repository("a", deleting).Tags()
		if got := pages(t, tags, limit, ""); !slices.Equal(got, sorted) {
			t.Fatalf("round %d, pages of %d out of %d:\n%q, want\n%q", round, limit, size, got, sorted)
		}
		if got, err := tags.All(t.Context()); err != nil || !slices.Equal(got, sorted) {
			t.Fatalf("round %d: all: %q, %v, want %q", round, got, err, sorted)
		}
		last := "v" + string(letters[rng.IntN(len(letters))])
		rest := sorted
		for len(rest) > 0 && rest[0] <= last {
			rest = rest[1:]
		}
		if got := pages(t, tags, limit, last); !slices.Equal(got, rest) {
			t.Fatalf("round %d, pages of %d out of %d after %s:\n%q, want\n%q", round, limit, size, last, got, rest)
		}
	}
}

// TestManyTags counts the requests for pages of 100,000 tags.
func TestManyTags(t *testing.T) {
	b := mem.New()
	var calls meter.Counter
	const n = 100_000
	for i := range n {
		write(t, b, keys.TagLink("a", fmt.Sprintf("build-%06d", i)), "x")
	}
	tags := newReplica(t, meter.Wrap(b, calls.Observe)).repository("a", deleting).Tags()
	for _, tt := range []struct {
		limit int
		last  string
		want  int64
	}{
		{1, "build-000000", 1}, {100, "build-050000", 1}, {1000, "build-050000", 1}, {1000, "build-098999", 1}, {1000, "build-099500", 1},
		{100, "", 2}, // there may be a tag "build"
		{5000, "build-000000", 5}, {-1, "", n / 1000},
	} {
		calls.Reset()
		got, err := tags.List(t.Context(), tt.limit, tt.last)
		if err != nil && !errors.Is(err, io.EOF) || len(got) == 0 || tt.limit > 0 && len(got) > tt.limit {
			t.Fatalf("List(%d, %s): %d tags, %v", tt.limit, tt.last, len(got), err)
		}
		if calls := calls.Total().Calls; calls != tt.want {
			t.Errorf("List(%d, %s): %d requests, want %d", tt.limit, tt.last, calls, tt.want)
		}
	}
}

// TestNoTags tells repositories without tags from none.
func TestNoTags(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	if got, err := r.repository("a", deleting).Tags().All(t.Context()); !errors.As(err, new(distribution.ErrRepositoryUnknown)) {
		t.Errorf("no repository: %v, %v", got, err)
	}
	m := r.pushed("a", nil)
	if got, err := r.repository("a", deleting).Tags().All(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("no tag: %v, %v", got, err)
	}
	r.tag("a", "v1", m)
	if got, err := r.repository("a", deleting).Tags().List(t.Context(), 1, "v1"); !errors.Is(err, io.EOF) || len(got) > 0 {
		t.Errorf("after the last: %v, %v", got, err)
	}
	if got, err := r.repository("a", deleting).Tags().List(t.Context(), 0, ""); err == nil || len(got) > 0 {
		t.Errorf("none: %v, %v", got, err)
	}
}

// TestPageSize lists as many entries at a time as the store prefers, of which a page needs few.
func TestPageSize(t *testing.T) {
	b := mem.New()
	for i := range 500 {
		write(t, b, keys.TagLink("a", fmt.Sprintf("v%03d", i)), "x")
	}
	entries := 0
	counted := countedEntries{driver.WithFeatures(b, func(f *driver.Features) { f.PageSize = 50 }), &entries}
	tags := newReplica(t, counted).repository("a", deleting).Tags()
	if got, err := tags.List(t.Context(), 10, "v100"); err != nil || len(got) != 10 || entries > 50 {
		t.Errorf("%d tags of %d entries, %v", len(got), entries, err)
	}
	if got := pages(t, tags, 70, ""); len(got) != 500 {
		t.Errorf("%d tags", len(got))
	}
}

// countedEntries counts what listings deliver.
type countedEntries struct {
	driver.Bucket
	n *int
}

func (b countedEntries) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	p, err := b.Bucket.ListPage(ctx, q)
	*b.n += len(p.Items)
	return p, err
}
