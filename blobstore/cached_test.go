package blobstore_test

import (
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/internal/friend"
)

// TestCached tells by key what was just pushed, for as long as that is kept.
func TestCached(t *testing.T) {
	for _, ttl := range []time.Duration{0, -1} {
		p := []byte("content")
		b := newBucket(t)
		s, err := blobstore.New(b, blobstore.Options{PartSize: 2 << 10, MemoryBudget: 1 << 20, LookupTTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		repo := newRepository(t, s, "team/app")
		desc, err := repo.Put(t.Context(), "", p)
		if err != nil {
			t.Fatal(err)
		}
		hex := desc.Digest.Encoded()
		link := "docker/registry/v2/repositories/team/app/_layers/sha256/" + hex + "/link"
		blob := "docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
		cached := func() bool {
			t.Helper()
			d, linked := friend.Of(s).CachedLink(t.Context(), link)
			obj, stored := friend.Of(s).CachedBlob(t.Context(), blob)
			if linked != stored || linked && (d != desc.Digest || obj.Size != int64(len(p)) || obj.Key != blob) {
				t.Errorf("link %s, %v; blob %+v, %v", d, linked, obj, stored)
			}
			return linked
		}
		if got, want := cached(), ttl == 0; got != want {
			t.Errorf("TTL %v: cached %v, want %v", ttl, got, want)
		}
		for _, key := range []string{
			"", link + "x", blob + "x", "docker/registry/v2/repositories/team/app/_manifests/revisions/sha256/" + hex + "/link",
			"docker/registry/v2/repositories/other/_layers/sha256/" + hex + "/link",
		} {
			if d, ok := friend.Of(s).CachedLink(t.Context(), key); ok {
				t.Errorf("%q is cached as a link to %s", key, d)
			}
		}
		if obj, ok := friend.Of(s).CachedBlob(t.Context(), "docker/registry/v2/blobs/sha256/00/"+digest.FromString("other").Encoded()+"/data"); ok {
			t.Errorf("another blob is cached: %+v", obj)
		}
		friend.Of(s).InvalidateAll()
		if cached() {
			t.Error("cached after InvalidateAll")
		}
	}
}
