package oras_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/errdef"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/mem"
	bucket "github.com/blobdock/blobdock/oci/oras"
)

// TestThereAndBack copies an artifact and its referrer to a store and back.
func TestThereAndBack(t *testing.T) {
	ctx := t.Context()
	s, err := blobstore.New(mem.New(), blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	target, err := bucket.New(s, "team/app")
	if err != nil {
		t.Fatal(err)
	}
	source := memory.New()
	layer := content.NewDescriptorFromBytes("text/plain", []byte("content"))
	if err := source.Push(ctx, layer, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	subject, err := oras.PackManifest(ctx, source, oras.PackManifestVersion1_1, "application/vnd.example", oras.PackManifestOptions{Layers: []v1.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	note, err := oras.PackManifest(ctx, source, oras.PackManifestVersion1_1, "application/vnd.example.note", oras.PackManifestOptions{Layers: []v1.Descriptor{layer}, Subject: &subject})
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Tag(ctx, subject, "v1"); err != nil {
		t.Fatal(err)
	}
	if got, err := oras.ExtendedCopy(ctx, source, "v1", target, "v1", oras.DefaultExtendedCopyOptions); err != nil || got.Digest != subject.Digest {
		t.Fatalf("copied %v, %v", got, err)
	}
	if found, err := target.Predecessors(ctx, subject); err != nil || len(found) != 1 || found[0].Digest != note.Digest {
		t.Errorf("referrers: %+v, %v", found, err)
	}
	back := memory.New()
	if got, err := oras.ExtendedCopy(ctx, target, "v1", back, "v1", oras.DefaultExtendedCopyOptions); err != nil || got.Digest != subject.Digest {
		t.Fatalf("copied back %v, %v", got, err)
	}
	for _, d := range []v1.Descriptor{layer, subject, note} {
		if ok, err := back.Exists(ctx, d); !ok || err != nil {
			t.Errorf("%s did not come back: %v", d.MediaType, err)
		}
	}
	absent := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("absent"), Size: 6}
	if _, err := target.Fetch(ctx, absent); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("fetch of an absent manifest: %v", err)
	}
	if _, err := target.Resolve(ctx, "absent"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("an absent tag: %v", err)
	}
	if err := target.Push(ctx, v1.Descriptor{MediaType: "text/plain", Digest: layer.Digest, Size: 5}, strings.NewReader("other")); err == nil {
		t.Error("other content than the digest's was taken")
	}
}
