package oci_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cuelabs.dev/go/oci/ociregistry"
	"cuelabs.dev/go/oci/ociregistry/ociclient"
	"cuelabs.dev/go/oci/ociregistry/ocifilter"
	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"cuelabs.dev/go/oci/ociregistry/ocitest"
	"cuelabs.dev/go/oci/ociregistry/ociunify"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/oci"
)

func newStore(t *testing.T) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(mem.New(), blobstore.Options{Secret: []byte("secret")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// serve is a registry of ociserver on a store.
func serve(t *testing.T, s *blobstore.Store, o oci.Options) string {
	t.Helper()
	srv := httptest.NewServer(oci.Handler(ociserver.New(oci.New(s, o), &ociserver.Options{LocationsForDescriptor: oci.Locations, WriteError: oci.WriteError})))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// client speaks to a registry over HTTP as to an Interface.
func client(t *testing.T, host string) ociregistry.Interface {
	t.Helper()
	c, err := ociclient.New(host, &ociclient.Options{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// each runs f on a store's Interface itself, and on one over HTTP.
func each(t *testing.T, f func(t *testing.T, r ociregistry.Interface)) {
	t.Helper()
	t.Run("direct", func(t *testing.T) { f(t, oci.New(newStore(t), oci.Options{})) })
	t.Run("by HTTP", func(t *testing.T) { f(t, client(t, serve(t, newStore(t), oci.Options{}))) })
}

var image = ocitest.RepoContent{
	Blobs: map[string]string{"config": "{}", "layer": "some layer"},
	Manifests: map[string]ociregistry.Manifest{
		"image": {
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: "config"},
			Layers: []v1.Descriptor{{MediaType: v1.MediaTypeImageLayer, Digest: "layer"}},
		},
		"note": {
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, ArtifactType: "application/vnd.example.note",
			Config: v1.Descriptor{MediaType: v1.MediaTypeImageConfig, Digest: "config"}, Layers: []v1.Descriptor{{MediaType: "text/plain", Digest: "layer"}},
			Subject: &v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: "image"},
		},
	},
	Tags: map[string]string{"v1": "image", "v1-rc": "image", "v2": "note"},
}

func all[T any](t *testing.T, seq func(func(T, error) bool)) []T {
	t.Helper()
	var got []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	return got
}

// TestContent pushes what ocitest describes, and finds it by all ways to read.
func TestContent(t *testing.T) {
	each(t, func(t *testing.T, r ociregistry.Interface) {
		ctx := t.Context()
		pushed := ocitest.NewRegistry(t, r).MustPushContent(ocitest.RegistryContent{"team/app": image, "team/other": image})["team/app"]
		for name, desc := range pushed.Manifests {
			byDigest, err := r.GetManifest(ctx, "team/app", desc.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(byDigest); err != nil || !bytes.Equal(got, pushed.ManifestData[name]) || byDigest.Descriptor().MediaType != v1.MediaTypeImageManifest {
				t.Errorf("%s: %q, %+v, %v", name, got, byDigest.Descriptor(), err)
			}
		}
		if d, err := r.ResolveTag(ctx, "team/app", "v1-rc"); err != nil || d.Digest != pushed.Manifests["image"].Digest {
			t.Errorf("v1-rc is %v, %v", d, err)
		}
		layer := pushed.Blobs["layer"]
		if d, err := r.ResolveBlob(ctx, "team/app", layer.Digest); err != nil || d.Size != int64(len("some layer")) {
			t.Errorf("layer: %+v, %v", d, err)
		}
		part, err := r.GetBlobRange(ctx, "team/app", layer.Digest, 5, 8)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(part); err != nil || string(got) != "lay" {
			t.Errorf("bytes 5 to 8: %q, %v", got, err)
		}
		if got := all(t, r.Repositories(ctx, "")); !slices.Equal(got, []string{"team/app", "team/other"}) {
			t.Errorf("repositories: %q", got)
		}
		if got := all(t, r.Tags(ctx, "team/app", "v1")); !slices.Equal(got, []string{"v1-rc", "v2"}) {
			t.Errorf("tags after v1: %q", got)
		}
		found := all(t, r.Referrers(ctx, "team/app", pushed.Manifests["image"].Digest, ""))
		if len(found) != 1 || found[0].Digest != pushed.Manifests["note"].Digest || found[0].ArtifactType != "application/vnd.example.note" {
			t.Errorf("referrers: %+v", found)
		}
	})
}

// TestErrors are those that the Interface names.
func TestErrors(t *testing.T) {
	absent := digest.FromString("absent")
	each(t, func(t *testing.T, r ociregistry.Interface) {
		ctx := t.Context()
		ocitest.NewRegistry(t, r).MustPushContent(ocitest.RegistryContent{"team/app": image})
		for name, tt := range map[string]struct {
			want error
			call func() error
		}{
			"blob":            {ociregistry.ErrBlobUnknown, func() error { _, err := r.GetBlob(ctx, "team/app", absent); return err }},
			"manifest":        {ociregistry.ErrManifestUnknown, func() error { _, err := r.GetManifest(ctx, "team/app", absent); return err }},
			"tag":             {ociregistry.ErrManifestUnknown, func() error { _, err := r.GetTag(ctx, "team/app", "absent"); return err }},
			"delete manifest": {ociregistry.ErrManifestUnknown, func() error { return r.DeleteManifest(ctx, "team/app", absent) }},
			"delete blob":     {ociregistry.ErrBlobUnknown, func() error { return r.DeleteBlob(ctx, "team/app", absent) }},
			"push, digest": {ociregistry.ErrDigestInvalid, func() error {
				_, err := r.PushBlob(ctx, "team/app", v1.Descriptor{Digest: absent, Size: 3}, strings.NewReader("abc"))
				return err
			}},
			"push, manifest": {ociregistry.ErrManifestInvalid, func() error {
				_, err := r.PushManifest(ctx, "team/app", "", []byte(`{"schemaVersion":1}`), v1.MediaTypeImageManifest)
				return err
			}},
			"tags": {ociregistry.ErrNameUnknown, func() error {
				for _, err := range r.Tags(ctx, "absent", "") {
					return err
				}
				return nil
			}},
		} {
			if err := tt.call(); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
	})
}

// TestChunks resumes an upload by its id after each chunk, and refuses one at another offset.
func TestChunks(t *testing.T) {
	r := oci.New(newStore(t), oci.Options{})
	ctx := t.Context()
	w, err := r.PushBlobChunked(ctx, "app", 0)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 5 {
		chunk := fmt.Sprintf("chunk %d,", i)
		if _, err := io.WriteString(w, chunk); err != nil {
			t.Fatal(err)
		}
		text.WriteString(chunk)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wrong, err := r.PushBlobChunkedResume(ctx, "app", w.ID(), 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(wrong, "x"); !errors.Is(err, ociregistry.ErrRangeInvalid) {
			t.Errorf("a chunk at 3 of %d: %v", text.Len(), err)
		}
		offset := int64(-1)
		if i%2 == 0 {
			offset = w.Size()
		}
		if w, err = r.PushBlobChunkedResume(ctx, "app", w.ID(), offset, 0); err != nil || w.Size() != int64(text.Len()) {
			t.Fatalf("resumed at %d of %d, %v", w.Size(), text.Len(), err)
		}
	}
	d := digest.FromString(text.String())
	if desc, err := w.Commit(d); err != nil || desc.Digest != d || desc.Size != int64(text.Len()) {
		t.Errorf("committed %+v, %v", desc, err)
	}
	if err := errors.Join(w.Cancel(), w.Cancel()); err != nil {
		t.Errorf("Cancel after Commit: %v", err)
	}
	if _, err := r.MountBlob(ctx, "app", "other", d); err != nil {
		t.Errorf("mount: %v", err)
	}
	if _, err := r.PushBlob(ctx, "third", v1.Descriptor{Digest: d, Size: -1}, strings.NewReader(text.String())); err != nil {
		t.Errorf("push of unknown length: %v", err)
	}
}

// TestPushByCrane pushes an image by crane to ociserver, with and without redirects, and pulls it.
func TestPushByCrane(t *testing.T) {
	img, err := random.Image(100<<10, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref := serve(t, newStore(t), oci.Options{}) + "/team/app:v1"
	if err := crane.Push(img, ref, crane.Insecure, crane.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	got, err := crane.Pull(ref, crane.Insecure, crane.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := img.Digest()
	if d, err := got.Digest(); err != nil || d != want {
		t.Errorf("pulled %v, want %v (%v)", d, want, err)
	}
	layers, err := got.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		rd, err := l.Compressed() // compares the digest as it is read
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, rd); err != nil {
			t.Error(err)
		}
	}
}

// TestHeadIsTrue asks by HEAD for a manifest that another replica has deleted meanwhile: who asks
// may not send what is said to be there.
func TestHeadIsTrue(t *testing.T) {
	b := mem.New()
	replicas := make([]ociregistry.Interface, 2)
	for i := range replicas {
		s, err := blobstore.New(b, blobstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		replicas[i] = client(t, serve(t, s, oci.Options{}))
	}
	pushed := ocitest.NewRegistry(t, replicas[0]).MustPushContent(ocitest.RegistryContent{"app": image})["app"]
	d := pushed.Manifests["note"].Digest
	if err := replicas[1].DeleteManifest(t.Context(), "app", d); err != nil {
		t.Fatal(err)
	}
	if _, err := replicas[0].ResolveManifest(t.Context(), "app", d); err == nil {
		t.Error("a deleted manifest is said to be there")
	}
}

// TestParts fit together: a store under a filter, and one united with another registry.
func TestParts(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	r := oci.New(s, oci.Options{})
	pushed := ocitest.NewRegistry(t, r).MustPushContent(ocitest.RegistryContent{"team/app": image})["team/app"]
	layer := slices.Sorted(maps.Keys(pushed.Blobs))[0]
	below := ocifilter.Sub(r, "team")
	if _, err := below.ResolveBlob(ctx, "app", pushed.Blobs[layer].Digest); err != nil {
		t.Errorf("below team: %v", err)
	}
	for name, frozen := range map[string]ociregistry.Interface{"filter": ocifilter.ReadOnly(r), "option": oci.New(s, oci.Options{ReadOnly: true})} {
		err := frozen.DeleteTag(ctx, "team/app", "v1")
		if _, gone := r.ResolveTag(ctx, "team/app", "v1"); err == nil || gone != nil {
			t.Errorf("%s: deletion ends with %v, and the tag with %v", name, err, gone)
		}
	}
	both := ociunify.New(ocimem.New(), r, nil)
	if _, err := both.ResolveTag(ctx, "team/app", "v1"); err != nil {
		t.Errorf("united: %v", err)
	}
}
