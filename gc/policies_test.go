package gc_test

import (
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
)

// TestUntaggedIndex tags an index that had no tag, and was pushed anew, when collection has run: its
// child is older than it.
func TestUntaggedIndex(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		child := r.image("app", "child")
		index := parse(t, v1.MediaTypeImageIndex, v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{child.Descriptor()}})
		time.Sleep(day + time.Minute)
		if err := r.repository("app").Push(t.Context(), index); err != nil {
			t.Fatal(err)
		}
		collect(t, b, gc.Options{Untagged: true})
		if err := r.repository("app").Tags().Tag(t.Context(), "v1", index.Descriptor()); err != nil {
			t.Fatal(err)
		}
		if err := whole(t, b, "app", child.Descriptor().Digest.String()); err != nil {
			t.Errorf("the child: %v", err)
		}
		if err := r.repository("app").Tags().Untag(t.Context(), "v1"); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			time.Sleep(day)
			collect(t, b, gc.Options{Untagged: true})
		}
		if left := list(t, b, ""); len(left) > 0 {
			t.Errorf("left are %q", left)
		}
	})
}

// TestUntagged deletes manifests without a tag, but for what tags reach.
func TestUntagged(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		child, old, loose := r.image("app", "child"), r.image("app", "old", "v1"), r.image("app", "loose")
		index := parse(t, v1.MediaTypeImageIndex, v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{child.Descriptor()}})
		repo := r.repository("app")
		if err := repo.Push(t.Context(), index, "v1"); err != nil { // old has no tag any more
			t.Fatal(err)
		}
		subject := index.Descriptor()
		signature := manifest(t, func(m *v1.Manifest) { m.Subject = &subject }, r.blob("app", v1.MediaTypeImageLayerGzip, "signature"))
		if err := repo.Push(t.Context(), signature); err != nil {
			t.Fatal(err)
		}
		time.Sleep(day + time.Minute)
		if got := collect(t, b, gc.Options{}); got.Unused != 0 {
			t.Errorf("untagged manifests are kept by default: %+v", got)
		}
		collect(t, b, gc.Options{Untagged: true})
		collect(t, b, gc.Options{Untagged: true}) // what the manifests named
		var left []string
		err := r.repository("app").Enumerate(t.Context(), func(d digest.Digest) error { left = append(left, d.String()); return nil })
		want := []string{child.Descriptor().Digest.String(), index.Descriptor().Digest.String(), signature.Descriptor().Digest.String()}
		slices.Sort(want)
		if err != nil || !slices.Equal(left, want) {
			t.Errorf("left are %q (%v), want %q, and not %s, %s", left, err, want, old.Descriptor().Digest, loose.Descriptor().Digest)
		}
		if n := len(list(t, b, keys.Blobs())); n != 5 {
			t.Errorf("%d blobs are left, want 5", n)
		}
	})
}

// TestOrphanedReferrers keeps what refers to a missing subject, with what refers to that in turn,
// until it is told not to; but not what a tag reaches, and not for the sake of other policies.
func TestOrphanedReferrers(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		repo := r.repository("app")
		attach := func(subject v1.Descriptor, text string, tags ...string) v1.Descriptor {
			t.Helper()
			m := manifest(t, func(m *v1.Manifest) { m.Subject = &subject }, r.blob("app", v1.MediaTypeImageLayerGzip, text))
			if err := repo.Push(t.Context(), m, tags...); err != nil {
				t.Fatal(err)
			}
			return m.Descriptor()
		}
		subject, loose := r.image("app", "subject", "v1"), r.image("app", "loose")
		bom := attach(subject.Descriptor(), "bill of materials")
		signature := attach(bom, "its signature")
		tagged := attach(subject.Descriptor(), "tagged", "sig")
		r.delete("app", subject)
		left := func() (all []digest.Digest) {
			t.Helper()
			if err := r.repository("app").Enumerate(t.Context(), func(d digest.Digest) error { all = append(all, d); return nil }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(all)
			return all
		}
		for _, tt := range []struct {
			name string
			o    gc.Options
			want []digest.Digest
		}{
			{"by default", gc.Options{}, []digest.Digest{bom.Digest, signature.Digest, tagged.Digest, loose.Descriptor().Digest}},
			{"orphaned referrers", gc.Options{OrphanedReferrers: true}, []digest.Digest{tagged.Digest, loose.Descriptor().Digest}},
			{"untagged, too", gc.Options{OrphanedReferrers: true, Untagged: true}, []digest.Digest{tagged.Digest}},
		} {
			slices.Sort(tt.want)
			for range 2 {
				time.Sleep(day + time.Minute)
				collect(t, b, tt.o)
			}
			if got := left(); !slices.Equal(got, tt.want) {
				t.Errorf("%s: left are %q, want %q", tt.name, got, tt.want)
			}
		}
		if err := whole(t, b, "app", "sig"); err != nil {
			t.Error(err)
		}
		if n := len(list(t, b, keys.Blobs())); n != 2 {
			t.Errorf("%d blobs are left, want those of what is tagged, 2", n)
		}
	})
}
