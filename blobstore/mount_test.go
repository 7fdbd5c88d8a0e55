package blobstore_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

func canonical(t testing.TB, repo string, d digest.Digest) reference.Canonical {
	t.Helper()
	name, err := reference.WithName(repo)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := reference.WithDigest(name, d)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestMount(t *testing.T) {
	s := newStore(t, newBucket(t))
	from, to := newRepository(t, s, "from"), newRepository(t, s, "to")
	p := content(6, 100)
	desc, err := from.Put(t.Context(), "", p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = to.Create(t.Context(), storage.WithMountFrom(canonical(t, "from", desc.Digest)))
	if mounted, ok := err.(distribution.ErrBlobMounted); !ok || mounted.Descriptor.Digest != desc.Digest || mounted.Descriptor.Size != desc.Size {
		t.Fatalf("Create with mount: %v", err)
	}
	wantContent(t, to, desc.Digest, p)
	w, err := to.Create(t.Context(), storage.WithMountFrom(canonical(t, "from", digest.FromString("missing"))))
	if err != nil || w == nil {
		t.Errorf("a mount of what is missing: %v, want an upload", err)
	}
}

// TestMountAlias mounts a blob that distribution keeps under its sha256 although it was
// pushed by its sha512: the link by the sha512 holds the sha256.
func TestMountAlias(t *testing.T) {
	b := newBucket(t)
	p := content(5, 900)
	d256, d512 := digest.SHA256.FromBytes(p), digest.SHA512.FromBytes(p)
	put(t, b, blobKey(d256), p)
	put(t, b, linkKey("old", d512), []byte(d256))
	put(t, b, linkKey("old", d256), []byte(d256))
	s := newStore(t, b)
	wantContent(t, newRepository(t, s, "old"), d512, p)
	_, err := newRepository(t, s, "new").Create(t.Context(), storage.WithMountFrom(canonical(t, "old", d512)))
	if !errors.As(err, new(distribution.ErrBlobMounted)) {
		t.Fatalf("not mounted: %v", err)
	}
	wantContent(t, newRepository(t, s, "new"), d512, p)
	wantContent(t, newRepository(t, newStore(t, b), "new"), d512, p)
}

func TestMembership(t *testing.T) {
	s := newStore(t, newBucket(t))
	one, two := newRepository(t, s, "one"), newRepository(t, s, "two")
	desc, err := one.Put(t.Context(), "", content(7, 100))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Stat(t.Context(), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("Stat in another repository: %v", err)
	}
	if err := two.ServeBlob(t.Context(), httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("ServeBlob in another repository: %v", err)
	}
	for _, d := range []digest.Digest{"", "sha256:", "x", "sha384:00", "sha256:../../../../x"} {
		if _, err := one.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
			t.Errorf("Stat(%q): %v", d, err)
		}
	}
	if err := one.Delete(t.Context(), desc.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Stat(t.Context(), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("Stat of a deleted blob: %v", err)
	}
	if err := one.Delete(t.Context(), desc.Digest); err != distribution.ErrBlobUnknown {
		t.Errorf("Delete of a deleted blob: %v", err)
	}
}
