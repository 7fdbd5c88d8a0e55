package gc_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// onEach runs a test on each kind of store, in a bubble: an hour takes no time.
func onEach(t *testing.T, do func(t *testing.T, b driver.Bucket)) {
	t.Helper()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { do(t, open()) })
		})
	}
}

// TestCollects takes away what a deleted image leaves: its blobs and links, and no others.
func TestCollects(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		r.image("team/app", "kept", "v1")
		shared := r.blob("other", v1.MediaTypeImageLayerGzip, "shared")
		two := manifest(t, nil, r.blob("other", v1.MediaTypeImageLayerGzip, "gone"), shared)
		if err := r.repository("other").Push(t.Context(), two, "v2"); err != nil {
			t.Fatal(err)
		}
		three := manifest(t, nil, r.blob("third", v1.MediaTypeImageLayerGzip, "shared"))
		if err := r.repository("third").Push(t.Context(), three, "v3"); err != nil {
			t.Fatal(err)
		}
		r.delete("other", two)
		time.Sleep(day + time.Minute)
		r.blob("team/app", v1.MediaTypeImageLayerGzip, "young") // of a push that is under way

		dry := collect(t, b, gc.Options{DryRun: true})
		if dry.Unused != 4 || dry.UnusedBytes != int64(len("gone"))+two.Descriptor().Size || len(list(t, b, keys.AllTombstones())) != 0 {
			t.Errorf("dry run: %+v, want the blobs of manifest and layer, and two links", dry)
		}
		got := collect(t, b, gc.Options{})
		if got.Deleted != 4 || got.DeletedBytes != dry.UnusedBytes || got.Rescued != 0 || got.Repositories != 3 || got.Manifests != 2 {
			t.Errorf("%+v", got)
		}
		if left := list(t, b, keys.Root+"/repositories/other"); len(left) != 0 {
			t.Errorf("other has %q", left)
		}
		if n := len(list(t, b, keys.Blobs())); n != 5 {
			t.Errorf("%d blobs are left, want 5", n)
		}
		for repo, tag := range map[string]string{"team/app": "v1", "third": "v3"} {
			if err := whole(t, b, repo, tag); err != nil {
				t.Errorf("%s: %v", repo, err)
			}
		}
		if again := collect(t, b, gc.Options{}); again.Unused+again.Adopted != 0 || len(list(t, b, keys.AllTombstones())) != 0 {
			t.Errorf("a second run: %+v, tombstones %q", again, list(t, b, keys.AllTombstones()))
		}
	})
}

// TestRescued needs what is condemned, in each way that a client can: during the wait, from a
// replica that knew of nothing.
func TestRescued(t *testing.T) {
	ways := map[string]func(t *testing.T, r replica, layer v1.Descriptor){
		"HEAD": func(t *testing.T, r replica, layer v1.Descriptor) {
			if _, err := r.blobs("app").Lookup(head(t.Context()), layer.Digest); err != nil {
				t.Errorf("HEAD: %v", err)
			}
		},
		"push": func(_ *testing.T, r replica, _ v1.Descriptor) { r.blob("app", v1.MediaTypeImageLayerGzip, "layer") },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, b driver.Bucket) {
				r := newReplica(t, b)
				m := r.image("app", "layer", "v1")
				r.delete("app", m)
				time.Sleep(day + time.Minute)
				done := make(chan gc.Summary)
				go func() { done <- collect(t, b, gc.Options{}) }()
				time.Sleep(50 * time.Minute)
				layer := m.References()[0]
				way(t, r, layer)
				time.Sleep(5 * time.Minute)
				if err := r.repository("app").Push(t.Context(), m, "v1"); err != nil {
					t.Errorf("push of the manifest: %v", err)
				}
				got := <-done
				if err := whole(t, b, "app", "v1"); err != nil {
					t.Errorf("%v, after %+v", err, got)
				}
				time.Sleep(day)
				collect(t, b, gc.Options{})
				if err := whole(t, b, "app", "v1"); err != nil {
					t.Errorf("after another run: %v", err)
				}
			})
		})
	}
}

// TestGone asks for what was collected.
func TestGone(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		m := r.image("app", "layer", "v1")
		r.delete("app", m)
		time.Sleep(day + time.Minute)
		collect(t, b, gc.Options{})
		time.Sleep(time.Minute + time.Second) // lookups are kept for a minute
		if _, err := r.blobs("app").Lookup(head(t.Context()), m.References()[0].Digest); !errors.Is(err, distribution.ErrBlobUnknown) {
			t.Errorf("HEAD: %v", err)
		}
		if err := r.repository("app").Push(t.Context(), m, "v1"); !errors.As(err, new(distribution.ErrManifestVerification)) {
			t.Errorf("push of the manifest: %v", err)
		}
		r.image("app", "layer", "v1")
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Error(err)
		}
	})
}

// TestMountOfGone mounts a blob of which the caller says that it knows it: the registry looks.
func TestMountOfGone(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		desc := r.blob("app", v1.MediaTypeImageLayerGzip, "layer")
		time.Sleep(day + time.Minute)
		collect(t, b, gc.Options{})
		time.Sleep(time.Hour)
		from, err := reference.WithDigest(named(t, "app"), desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.blobs("other").CreateWriter(t.Context(), knownMount{from, desc})
		if err != nil {
			t.Fatalf("%v, want an upload", err)
		}
		if err := w.Cancel(t.Context()); err != nil {
			t.Error(err)
		}
		if m := manifest(t, nil, desc); !errors.As(r.repository("other").Push(t.Context(), m, "v1"), new(distribution.ErrManifestVerification)) {
			t.Error("the manifest of a layer that is gone was taken in")
		}
	})
}

// TestMountAnyOfCondemned mounts a blob, of no repository any more, that is condemned: it stays,
// and one that is gone is not mounted.
func TestMountAnyOfCondemned(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		kept := r.blob("app", v1.MediaTypeImageLayerGzip, "kept")
		gone := r.blob("app", v1.MediaTypeImageLayerGzip, "gone")
		time.Sleep(day + time.Minute)
		done := make(chan gc.Summary)
		go func() { done <- collect(t, b, gc.Options{}) }()
		time.Sleep(10 * time.Minute)
		other := newReplica(t, b)
		if _, err := other.blobs("other").MountAny(t.Context(), kept.Digest, kept.Size); err != nil {
			t.Fatal(err)
		}
		m := manifest(t, nil, kept)
		if err := other.repository("other").Push(t.Context(), m, "v1"); err != nil {
			t.Fatal(err)
		}
		<-done
		if err := whole(t, b, "other", "v1"); err != nil {
			t.Error(err)
		}
		if _, err := other.blobs("other").MountAny(t.Context(), gone.Digest, gone.Size); !errors.Is(err, distribution.ErrBlobUnknown) {
			t.Errorf("a blob that is gone: %v", err)
		}
	})
}

// knownMount is a mount of what the caller knows.
type knownMount struct {
	from reference.Canonical
	desc v1.Descriptor
}

func (k knownMount) Apply(v any) error {
	o := v.(*distribution.CreateOptions)
	o.Mount.ShouldMount, o.Mount.From, o.Mount.Stat = true, k.from, &k.desc
	return nil
}

func named(t testing.TB, name string) reference.Named {
	t.Helper()
	n, err := reference.WithName(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestChildWithoutContent pushes an index of a manifest whose link is there, without its content,
// which the replica remembers.
func TestChildWithoutContent(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		child := r.image("app", "child")
		d := child.Descriptor().Digest
		time.Sleep(2 * time.Minute) // as long as what was seen counts
		if err := b.Delete(t.Context(), keys.Blob(d), driver.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.repository("app").Read(t.Context(), d); err != nil { // from memory
			t.Fatal(err)
		}
		index := parse(t, v1.MediaTypeImageIndex, v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{child.Descriptor()}})
		if err := r.repository("app").Push(t.Context(), index, "v1"); !errors.As(err, new(distribution.ErrManifestVerification)) {
			t.Errorf("the index was answered by %v, and its child is gone", err)
		}
	})
}

// TestTagOfDying tags a manifest that is being deleted, and which the replica still has in memory.
func TestTagOfDying(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		m := r.image("app", "layer")
		d := m.Descriptor().Digest
		time.Sleep(day + time.Minute)
		link, err := b.Stat(t.Context(), keys.RevisionLink("app", d))
		if err != nil {
			t.Fatal(err)
		}
		// A collector that has begun, and stopped.
		s, err := tombstone.Create(t.Context(), b, keys, d, tombstone.Of(link))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := s.Begin(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := r.repository("app").Tags().Tag(t.Context(), "v1", m.Descriptor()); err != nil {
			t.Errorf("Tag: %v", err)
		}
		for range 2 {
			time.Sleep(day + time.Minute)
			collect(t, b, gc.Options{Untagged: true})
		}
		if err := whole(t, b, "app", "v1"); err != nil {
			t.Errorf("the tag was acknowledged: %v", err)
		}
	})
}
