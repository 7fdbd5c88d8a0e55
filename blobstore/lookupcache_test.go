package blobstore_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage/cache/memory"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
)

// requests of a bucket by verb.
func requests(c *meter.Counter) map[driver.Op]int64 {
	n := make(map[driver.Op]int64)
	for row, sums := range c.Reset() {
		n[row.Op] += sums.Calls
	}
	return n
}

func TestLookupCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := newBucket(t)
		var calls meter.Counter
		repo, d := serving(t, signs{meter.Wrap(bucket, calls.Observe), signed}, blobstore.Options{}, []byte("content"))
		absent := digest.FromString("absent")
		calls.Reset()
		want := func(what string, n map[driver.Op]int64) {
			t.Helper()
			if got := requests(&calls); !maps.Equal(got, n) {
				t.Errorf("%s: requests %v, want %v", what, got, n)
			}
		}
		lookup := map[driver.Op]int64{driver.OpOpen: 1, driver.OpStat: 1}

		serve(t, repo, d, http.MethodGet, nil)
		want("pull of what was just pushed", nil)
		repo.Forget(t.Context(), d)
		serve(t, repo, d, http.MethodGet, nil)
		want("cold pull", lookup)
		serve(t, repo, d, http.MethodGet, nil)
		want("warm pull", nil)
		time.Sleep(blobstore.DefaultLookupTTL + time.Second)
		serve(t, repo, d, http.MethodGet, nil)
		want("after the TTL", lookup)

		for range 2 {
			if _, err := repo.Stat(t.Context(), absent); err != distribution.ErrBlobUnknown {
				t.Errorf("absent: %v", err)
			}
			want("absent", lookup)
		}

		// Another process deletes it. It is served until the TTL is over.
		other := newRepository(t, newStore(t, bucket), "team/app")
		if err := other.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		serve(t, repo, d, http.MethodGet, nil)
		time.Sleep(blobstore.DefaultLookupTTL + time.Second)
		if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
			t.Errorf("deleted by another, after the TTL: %v", err)
		}
		// A deletion of one's own counts at once, and so does a push.
		if _, err := repo.Put(t.Context(), "", []byte("content")); err != nil {
			t.Fatal(err)
		}
		serve(t, repo, d, http.MethodGet, nil)
		if err := repo.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
			t.Errorf("deleted here: %v", err)
		}
	})
}

// A blob that was replaced under a kept lookup is read as what is there now, or
// not at all, and is looked up again.
func TestCachedLookupOfReplacedBlob(t *testing.T) {
	bucket, p := newBucket(t), content(2, 5000)
	repo, d := serving(t, bucket, blobstore.Options{}, p)
	serve(t, repo, d, http.MethodHead, nil)
	key := "docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
	replace := func(p []byte) {
		t.Helper()
		if _, err := bucket.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	replace(p) // the same bytes, another ETag
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
		t.Errorf("written again: %d bytes, %v", len(got), err)
	}
	replace(p[:100])
	if _, err := repo.Get(t.Context(), d); !errors.Is(err, driver.Mismatch) {
		t.Errorf("cut short: got %v, want %v", err, driver.Mismatch)
	}
	if desc, err := repo.Stat(t.Context(), d); err != nil || desc.Size != 100 {
		t.Errorf("looked up again: %d bytes, %v, want 100", desc.Size, err)
	}
}

// TestExternalCache keeps lookups in distribution's own cache.
func TestExternalCache(t *testing.T) {
	var calls meter.Counter
	p := []byte("content")
	cache := memory.NewInMemoryBlobDescriptorCacheProvider(100)
	repo, d := serving(t, meter.Wrap(newBucket(t), calls.Observe), blobstore.Options{Descriptors: cache}, p)
	repo.Forget(t.Context(), d)
	calls.Reset()
	for i, want := range []map[driver.Op]int64{{driver.OpOpen: 1, driver.OpStat: 1}, {}} {
		if desc, err := repo.Stat(t.Context(), d); err != nil || desc.Digest != d || desc.Size != int64(len(p)) {
			t.Errorf("look %d: %+v, %v", i, desc, err)
		}
		if got := requests(&calls); !maps.Equal(got, want) {
			t.Errorf("look %d: requests %v, want %v", i, got, want)
		}
	}
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
		t.Errorf("content: %q, %v", got, err)
	}
	if err := repo.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
		t.Errorf("deleted: %v", err)
	}
}
