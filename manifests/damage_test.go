package manifests_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/manifests"
)

// TestWrongLink has a repository's link to one manifest lead to another. It is damaged, and
// other repositories are still served what they have.
func TestWrongLink(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	one, two := r.pushed("good", nil), r.pushed("good", nil)
	d := one.Descriptor().Digest
	write(t, b, keys.RevisionLink("bad", d), two.Descriptor().Digest.String())
	r = newReplica(t, b)
	if _, err := r.repository("bad", deleting).Read(t.Context(), d); !errors.Is(err, driver.Corrupt) {
		t.Errorf("by a link to another manifest: %v, want Corrupt", err)
	}
	got, err := r.repository("good", deleting).Read(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := one.Payload()
	if _, p, _ := got.Payload(); !bytes.Equal(p, want) {
		t.Errorf("another repository has %s", p)
	}
}

// TestLinkByAnotherAlgorithm has a link lead to the same content under another digest.
func TestLinkByAnotherAlgorithm(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	m := r.pushed("a", nil)
	_, p, _ := m.Payload()
	d := digest.SHA512.FromBytes(p)
	write(t, b, keys.RevisionLink("a", d), m.Descriptor().Digest.String())
	for range 2 {
		got, err := r.repository("a", deleting).Read(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if got.Descriptor().Digest != d {
			t.Errorf("digest %s, want %s", got.Descriptor().Digest, d)
		}
	}
}

// TestDamage reads manifests of which something is broken or gone.
func TestDamage(t *testing.T) {
	var unknown distribution.ErrManifestUnknownRevision
	for name, tt := range map[string]struct {
		damage  func(b driver.Bucket, d digest.Digest)
		unknown bool
	}{
		"no link": {func(b driver.Bucket, d digest.Digest) {
			_ = b.Delete(t.Context(), keys.RevisionLink("a", d), driver.DeleteOptions{})
		}, true},
		"no blob": {func(b driver.Bucket, d digest.Digest) {
			_ = b.Delete(t.Context(), keys.Blob(d), driver.DeleteOptions{})
		}, true},
		"empty link":   {func(b driver.Bucket, d digest.Digest) { write(t, b, keys.RevisionLink("a", d), "") }, false},
		"no digest":    {func(b driver.Bucket, d digest.Digest) { write(t, b, keys.RevisionLink("a", d), "sha256:abc") }, false},
		"a line's end": {func(b driver.Bucket, d digest.Digest) { write(t, b, keys.RevisionLink("a", d), d.String()+"\n") }, false},
		"empty blob":   {func(b driver.Bucket, d digest.Digest) { write(t, b, keys.Blob(d), "") }, false},
		"another blob": {func(b driver.Bucket, d digest.Digest) { write(t, b, keys.Blob(d), "{}") }, false},
		"a very large blob": {func(b driver.Bucket, d digest.Digest) {
			write(t, b, keys.Blob(d), string(make([]byte, manifests.MaxSize+1)))
		}, false},
	} {
		b := mem.New()
		d := newReplica(t, b).pushed("a", nil).Descriptor().Digest
		tt.damage(b, d)
		r := newReplica(t, b)
		_, err := r.repository("a", deleting).Read(t.Context(), d)
		if got := errors.As(err, &unknown); got != tt.unknown || !got && !errors.Is(err, driver.Corrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if there, err := r.repository("a", deleting).Exists(t.Context(), d); there || (err == nil) != tt.unknown {
			t.Errorf("%s: exists: %t, %v", name, there, err)
		}
	}
}

// TestNoManifest links content that is none. To push it again, or an index of it, is not told
// to be the client's mistake.
func TestNoManifest(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	d := r.blob("a", "", "no JSON").Digest
	write(t, b, keys.RevisionLink("a", d), d.String())
	repo := r.repository("a", deleting)
	var invalid *manifests.InvalidError
	if _, err := repo.Read(t.Context(), d); !errors.Is(err, driver.Corrupt) || errors.As(err, &invalid) {
		t.Errorf("Read: %v, want Corrupt", err)
	}
}

// TestDamagedReferrers lists the referrers that are sound.
func TestDamagedReferrers(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	subject := r.pushed("a", nil)
	desc := subject.Descriptor()
	withSubject := func(m *v1.Manifest) { m.Subject = &desc }
	good, bad := r.pushed("a", withSubject), r.pushed("a", withSubject)
	write(t, b, keys.Blob(bad.Descriptor().Digest), "{}")
	text := r.blob("a", "", "no JSON").Digest
	for _, d := range []digest.Digest{text, digest.FromString("nowhere"), subject.Descriptor().Digest} {
		write(t, b, keys.Referrer("a", desc.Digest, d), d.String())
	}
	write(t, b, keys.RevisionLink("a", text), text.String())
	fallback := keys.TagLink("a", "sha256-"+desc.Digest.Encoded())
	for name, link := range map[string]string{"no tag": "", "a tag to nothing": digest.FromString("x").String(), "a damaged tag": "x", "a tag to no manifest": text.String()} {
		if link != "" {
			write(t, b, fallback, link)
		}
		got, _, err := newReplica(t, b).repository("a", deleting).Referrers(t.Context(), desc.Digest, "", "")
		if err != nil || len(got) != 1 || got[0].Digest != good.Descriptor().Digest {
			t.Errorf("%s: referrers %v, %v", name, got, err)
		}
	}
}
