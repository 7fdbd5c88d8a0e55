package blobstore_test

import (
	"errors"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
)

// TestAlias finds a blob by its SHA-512, after a restart too, and no other blob by it.
func TestAlias(t *testing.T) {
	b := newBucket(t)
	r := newRepository(t, newStore(t, b), "a")
	p := content(5, 900)
	desc, err := r.Put(t.Context(), "", p)
	if err != nil {
		t.Fatal(err)
	}
	alias := digest.SHA512.FromBytes(p)
	for range 2 { // it may be repeated
		if err := r.Alias(t.Context(), alias, desc.Digest); err != nil {
			t.Fatal(err)
		}
		wantContent(t, r, alias, p)
	}
	fresh := newRepository(t, newStore(t, b), "a")
	wantContent(t, fresh, alias, p)
	if got, err := fresh.Stat(t.Context(), alias); err != nil || got.Digest != alias || got.Size != desc.Size {
		t.Errorf("%+v, %v", got, err)
	}
	if o, err := b.Stat(t.Context(), linkKey("a", alias)); err != nil || o.Size != int64(len(desc.Digest)) {
		t.Errorf("the link has %d bytes (%v), want those of %q", o.Size, err, desc.Digest)
	}
	if err := fresh.Delete(t.Context(), alias); err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Stat(t.Context(), alias); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("a deleted alias: %v", err)
	}
	wantContent(t, fresh, desc.Digest, p)
}

// TestAliasRefused changes nothing.
func TestAliasRefused(t *testing.T) {
	b := newBucket(t)
	r := newRepository(t, newStore(t, b), "a")
	desc, err := r.Put(t.Context(), "", content(5, 900))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Alias(t.Context(), digest.SHA512.FromString("another"), desc.Digest); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
		t.Errorf("a digest of other content: %v", err)
	}
	if err := r.Alias(t.Context(), digest.FromString("another"), desc.Digest); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
		t.Errorf("another SHA-256: %v", err)
	}
	if err := r.Alias(t.Context(), digest.SHA512.FromString("another"), digest.FromString("missing")); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("an alias of what is missing: %v", err)
	}
	for _, bad := range []digest.Digest{"", "sha512:short", "md5:d41d8cd98f00b204e9800998ecf8427e"} {
		if err := r.Alias(t.Context(), bad, desc.Digest); err == nil {
			t.Errorf("alias %q is taken", bad)
		}
	}
	var links int
	if err := r.Enumerate(t.Context(), func(digest.Digest) error { links++; return nil }); err != nil || links != 1 {
		t.Errorf("%d links (%v), want 1", links, err)
	}
}
