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

// TestMountAny mounts what another repository has, or none, and nothing else: what is not
// there, has another size, or was left empty by a broken upload.
func TestMountAny(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	from, to := newRepository(t, s, "from"), newRepository(t, s, "to")
	p, orphan, broken := content(6, 100), content(7, 200), content(8, 300)
	if _, err := from.Put(t.Context(), "", p); err != nil {
		t.Fatal(err)
	}
	put(t, b, blobKey(digest.FromBytes(orphan)), orphan)
	put(t, b, blobKey(digest.FromBytes(broken)), nil)
	for name, tt := range map[string]struct {
		content []byte
		size    int64
		err     error
	}{
		"of another repository":     {p, 100, nil},
		"once more, of any size":    {p, -1, nil},
		"of no repository":          {orphan, 200, nil},
		"of another size":           {p, 101, distribution.ErrBlobUnknown},
		"left by a broken upload":   {broken, -1, distribution.ErrBlobUnknown},
		"not there":                 {content(10, 10), 10, distribution.ErrBlobUnknown},
		"empty, which is not there": {nil, 0, distribution.ErrBlobUnknown},
	} {
		d := digest.FromBytes(tt.content)
		if tt.err != nil {
			to.Forget(t.Context(), d)
		}
		desc, err := to.MountAny(t.Context(), d, tt.size)
		if !errors.Is(err, tt.err) || err == nil && (desc.Digest != d || desc.Size != int64(len(tt.content))) {
			t.Errorf("%s: %v and %v, want %v", name, desc, err, tt.err)
		}
		if err == nil {
			wantContent(t, to, d, tt.content)
		}
	}
	if _, err := to.MountAny(t.Context(), "sha256:short", -1); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
		t.Errorf("what is no digest: %v", err)
	}
}
