package manifests_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/manifests"
)

// TestUntag removes a tag with its history, and no other that begins like it.
func TestUntag(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	one, two := r.pushed("a", nil), r.pushed("a", nil)
	for _, tag := range []string{"v1", "v1-rc", "v1.0", "v", "v10"} {
		r.tag("a", tag, one)
		r.tag("a", tag, two)
	}
	tags := r.repository("a", deleting).Tags()
	if err := tags.Untag(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	if got := under(t, b, keys.Tag("a", "v1")); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
	got, err := tags.All(t.Context())
	if want := []string{"v", "v1-rc", "v1.0", "v10"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("tags %v, %v, want %v", got, err, want)
	}
	if _, err := tags.Get(t.Context(), "v1"); !errors.As(err, new(distribution.ErrTagUnknown)) {
		t.Errorf("Get: %v", err)
	}
	if err := tags.Untag(t.Context(), "v1"); !errors.As(err, new(distribution.ErrTagUnknown)) {
		t.Errorf("Untag again: %v", err)
	}
}

// TestOneRepository does with one Repository what belongs to several requests.
func TestOneRepository(t *testing.T) {
	b := mem.New()
	r := newReplica(t, b)
	m := r.image("a", nil)
	d := m.Descriptor().Digest
	repo := r.repository("a", deleting)
	tag := func() {
		t.Helper()
		if _, err := repo.Put(t.Context(), m, distribution.WithTag("v1")); err != nil {
			t.Fatal(err)
		}
		if err := repo.Tags().Tag(t.Context(), "v1", m.Descriptor()); err != nil {
			t.Fatal(err)
		}
		if got, err := repo.Tags().ManifestDigests(t.Context(), "v1"); err != nil || !slices.Equal(got, []digest.Digest{d}) {
			t.Errorf("history %v, %v", got, err)
		}
		if got, err := repo.Tags().Lookup(t.Context(), m.Descriptor()); err != nil || !slices.Equal(got, []string{"v1"}) {
			t.Errorf("Lookup: %v, %v", got, err)
		}
	}
	tag()
	if err := repo.Tags().Untag(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	tag()
	if err := repo.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	tag()
}

// TestBadTags refuses to write them, and does not know them.
func TestBadTags(t *testing.T) {
	r := newReplica(t, mem.New())
	m := r.pushed("a", nil)
	tags := r.repository("a", deleting).Tags()
	for _, tag := range []string{"", ".", "..", "-a", ".a", "a/b", "a/../b", "a b", "ä", "a\x00", "a\n", string(make([]byte, 129))} {
		var invalid *manifests.InvalidError
		if err := tags.Tag(t.Context(), tag, m.Descriptor()); !errors.As(err, &invalid) {
			t.Errorf("Tag(%q): %v", tag, err)
		}
		var unknown distribution.ErrTagUnknown
		if _, err := tags.Get(t.Context(), tag); !errors.As(err, &unknown) {
			t.Errorf("Get(%q): %v", tag, err)
		}
		if err := tags.Untag(t.Context(), tag); !errors.As(err, &unknown) {
			t.Errorf("Untag(%q): %v", tag, err)
		}
		if _, err := tags.ManifestDigests(t.Context(), tag); !errors.As(err, &unknown) {
			t.Errorf("ManifestDigests(%q): %v", tag, err)
		}
		if _, err := r.repository("a", deleting).Put(t.Context(), m, distribution.WithTag(tag)); !errors.As(err, &invalid) {
			t.Errorf("Put with tag %q: %v", tag, err)
		}
	}
	if err := tags.Tag(t.Context(), "v1", v1.Descriptor{Digest: "sha256:abc"}); err == nil {
		t.Error("Tag of no digest: no error")
	}
}

// TestLookup finds the tags that are a manifest now, also where links are damaged or a tag's
// history is lost.
func TestLookup(t *testing.T) {
	for name, o := range map[string]mem.Options{"versions": {}, "equal ETags": {Unversioned: true}} {
		b := mem.NewWith(o)
		r := newReplica(t, md5ETags{b})
		one, two := r.pushed("a", nil), r.pushed("a", nil)
		r.tag("a", "now", one)
		r.tag("a", "once", one)
		r.tag("a", "once", two)
		r.tag("a", "again", one)
		r.tag("a", "again", two)
		r.tag("a", "again", one)
		r.tag("a", "damaged", one)
		write(t, b, keys.TagLink("a", "damaged"), "x")
		r.tag("a", "half", one)
		_ = b.Delete(t.Context(), keys.TagLink("a", "half"), driver.DeleteOptions{})
		r.tag("a", "forgotten", one)
		_ = b.Delete(t.Context(), keys.TagIndexLink("a", "forgotten", one.Descriptor().Digest), driver.DeleteOptions{})
		got, err := r.repository("a", deleting).Tags().Lookup(t.Context(), one.Descriptor())
		if want := []string{"again", "forgotten", "now"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: Lookup: %v, %v, want %v", name, got, err, want)
		}
	}
}
