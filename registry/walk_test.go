package registry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/driver/mem"
)

// walkNames come in another order as keys of folders than as names.
var walkNames = []string{"a", "a-b", "a-b-c", "a-b.c", "a.b", "a.b-c", "a0", "b-a", "b.a", "c", "v1", "v1-rc", "v1.0", "v1.0.0", "v1.0.1-rc", "v1.0.1-rc.1", "v10", "z-"}

// TestWalkOrder walks directories in pages of every small size, from every name on, and
// compares with distribution's own filesystem driver on the same files.
func TestWalkOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := file.New(dir, file.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	theirs := filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: 25})
	for _, name := range walkNames {
		for _, p := range []string{"/tags/" + name + "/current/link", "/tags/" + name + "/index/link"} {
			if err := newDriver(t, b).PutContent(t.Context(), p, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := newDriver(t, b).PutContent(t.Context(), "/tags/a-a", []byte("a file")); err != nil {
		t.Fatal(err)
	}
	hints := []string{"", "/tags", "/tags/A", "/tags/a-c", "/tags/v1.0.1", "/tags/zz", "/tags/a/current", "/tags/v1.0/index"}
	for _, name := range walkNames {
		hints = append(hints, "/tags/"+name)
	}
	for _, size := range []int{1, 2, 3, 5, 0} {
		ours := newDriver(t, driver.WithFeatures(b, func(f *driver.Features) { f.PageSize = size }))
		for _, hint := range hints {
			for _, deep := range []bool{true, false} {
				// Distribution's goes on behind the hint's own directory when that was enough.
				want, wantErr := walked(t.Context(), theirs, hint, deep, 1000)
				for _, enough := range []int{1, 4, 1000} {
					got, gotErr := walked(t.Context(), ours, hint, deep, enough)
					if diff := cmp.Diff(want[:min(enough, len(want))], got); diff != "" || (gotErr == nil) != (wantErr == nil) {
						t.Errorf("pages of %d, after %q, deep %t, %d names: %v, distribution's: %v\n(-want +got):\n%s", size, hint, deep, enough, gotErr, wantErr, diff)
					}
				}
			}
		}
	}
}

// walked are the first paths of a walk of /tags.
func walked(ctx context.Context, d storagedriver.StorageDriver, hint string, deep bool, enough int) (paths []string, err error) {
	err = d.Walk(ctx, "/tags", func(fi storagedriver.FileInfo) error {
		if paths = append(paths, fi.Path()); len(paths) == enough {
			return storagedriver.ErrFilledBuffer
		}
		if fi.IsDir() && !deep {
			return storagedriver.ErrSkipDir
		}
		return nil
	}, storagedriver.WithStartAfterHint(hint))
	return paths, err
}

// TestTagPageRequests checks that a page of tags costs as many requests as it has pages of
// the store's, wherever it begins, and not as many as all tags have.
func TestTagPageRequests(t *testing.T) {
	t.Parallel()
	const total = 4001
	for pattern, tt := range map[string]struct{ first, later int64 }{
		"v%04d":   {first: 1, later: 1},
		"tag-%d":  {first: 2, later: 1}, // is there a tag that is called tag?
		"v1.0.%d": {first: 3, later: 1}, // v1, v1.0?
	} {
		b := mem.New()
		var tags []string
		for i := range total {
			tag := fmt.Sprintf(pattern, i)
			tags = append(tags, tag)
			if err := newDriver(t, b).PutContent(t.Context(), "/docker/registry/v2/repositories/app/_manifests/tags/"+tag+"/current/link", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(tags)
		var requests atomic.Int64
		srv := serve(t, driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			requests.Add(1)
			return next(ctx)
		}))
		for query, want := range map[string]struct {
			requests int64
			tags     []string
		}{
			"n=100": {tt.first, tags[:100]}, "n=100&last=" + tags[999]: {tt.later, tags[1000:1100]}, "": {5, tags},
			"n=100&last=" + tags[total-1]: {tt.later + 1, nil}, // is there such a repository?
		} {
			before := requests.Load()
			_, text := do(t, "GET", srv.URL+"/v2/app/tags/list?"+query, nil, nil)
			if got := requests.Load() - before; got != want.requests {
				t.Errorf("%s: tags/list?%s cost %d requests, want %d", pattern, query, got, want.requests)
			}
			if list := strings.Join(want.tags, `","`); !strings.Contains(text, list) || strings.Count(text, ",") != max(1, len(want.tags)) {
				t.Errorf("%s: tags/list?%s: %.200s", pattern, query, text)
			}
		}
	}
}
