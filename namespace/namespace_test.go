package namespace_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/layers/tarsum"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/namespace"
	"github.com/blobdock/blobdock/signatures"
)

// under is a scope of names below a folder.
type under string

func (u under) Contains(name string) bool { return strings.HasPrefix(name, string(u)) }

func newStore(t testing.TB) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(mem.New(), blobstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func named(t testing.TB, name string) reference.Named {
	t.Helper()
	n, err := reference.WithName(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func open(t testing.TB, n *namespace.Namespace, name string) *namespace.Repository {
	t.Helper()
	r, err := n.Open(named(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// push puts an image by distribution's interfaces.
func push(t testing.TB, n distribution.Namespace, name, tag string) v1.Descriptor {
	t.Helper()
	r, err := n.Repository(t.Context(), named(t, name))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := r.Blobs(t.Context()).Put(t.Context(), v1.MediaTypeImageLayerGzip, []byte("layer of "+name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := json.Marshal(v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: layer, Layers: []v1.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.Parse(v1.MediaTypeImageManifest, digest.SHA256, p)
	if err != nil {
		t.Fatal(err)
	}
	service, err := r.Manifests(t.Context(), distribution.WithTag(tag))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := r.Tags(t.Context()).Tag(t.Context(), tag, m.Descriptor()); err != nil {
		t.Fatal(err)
	}
	return m.Descriptor()
}

// TestRepositoryPushesAndPulls by distribution's interfaces alone.
func TestRepositoryPushesAndPulls(t *testing.T) {
	n := namespace.New(newStore(t), namespace.Options{})
	want := push(t, n, "team/app", "v1")
	r := open(t, n, "team/app")
	if r.Named().Name() != "team/app" {
		t.Errorf("it is named %s", r.Named())
	}
	desc, err := r.Tags(t.Context()).Get(t.Context(), "v1")
	if err != nil || desc.Digest != want.Digest {
		t.Errorf("v1 is %s (%v), want %s", desc.Digest, err, want.Digest)
	}
	service, err := r.Manifests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := service.Get(t.Context(), desc.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range m.References() {
		if got, err := r.Blobs(t.Context()).Get(t.Context(), ref.Digest); err != nil || string(got) != "layer of team/app" {
			t.Errorf("%q, %v", got, err)
		}
	}
	for _, ref := range m.References() {
		if ok, err := r.Layers(t.Context()).Exists(ref.Digest); !ok || err != nil {
			t.Errorf("layer %s: %t, %v", ref.Digest, ok, err)
		}
	}
	if err := service.Delete(t.Context(), want.Digest); !errors.Is(err, distribution.ErrUnsupported) {
		t.Errorf("deletion is not allowed here: %v", err)
	}
	if err := r.Signatures().Put(t.Context(), want.Digest, []byte(`{"by":"me"}`)); err != nil {
		t.Fatal(err)
	}
	if got, err := signatures.Bind(t.Context(), r.Signatures()).Get(want.Digest); err != nil || len(got) != 1 {
		t.Errorf("signatures: %q, %v", got, err)
	}
}

// TestRepositories come in order, page by page, and then io.EOF.
func TestRepositories(t *testing.T) {
	n := namespace.New(newStore(t), namespace.Options{})
	all := []string{"a", "a/b", "a-b", "c"}
	for _, name := range all {
		push(t, n, name, "v1")
	}
	for size := 1; size <= 5; size++ {
		var got []string
		last, page := "", make([]string, size)
		for range len(all) + 1 {
			found, err := n.Repositories(t.Context(), page, last)
			got = append(got, page[:found]...)
			if err == io.EOF { //nolint:errorlint // as callers compare
				break
			}
			if err != nil || found != size {
				t.Fatalf("%d of %d: %v", found, size, err)
			}
			last = page[found-1]
		}
		if !slices.Equal(got, all) {
			t.Errorf("by %d: %q, want %q", size, got, all)
		}
	}
	if _, err := n.Repositories(t.Context(), nil, ""); err == nil {
		t.Error("no room for a name is no error")
	}
}

// TestScope has the names of the scope alone.
func TestScope(t *testing.T) {
	s := newStore(t)
	if got := namespace.New(s, namespace.Options{}).Scope(); got != distribution.GlobalScope {
		t.Errorf("the default is %v", got)
	}
	all := namespace.New(s, namespace.Options{})
	for _, name := range []string{"team/a", "other/b", "team/c"} {
		push(t, all, name, "v1")
	}
	n := namespace.New(s, namespace.Options{Scope: under("team/")})
	var invalid distribution.ErrRepositoryNameInvalid
	if r, err := n.Repository(t.Context(), named(t, "other/b")); r != nil || !errors.As(err, &invalid) || invalid.Name != "other/b" {
		t.Errorf("a repository out of scope: %v, %v", r, err)
	}
	page := make([]string, 9)
	found, err := n.Repositories(t.Context(), page, "")
	if !errors.Is(err, io.EOF) || !slices.Equal(page[:found], []string{"team/a", "team/c"}) {
		t.Errorf("%q, %v", page[:found], err)
	}
	var listed []string
	if err := n.Enumerate(t.Context(), func(name string) error { listed = append(listed, name); return nil }); err != nil || !slices.Equal(listed, page[:found]) {
		t.Errorf("%q, %v", listed, err)
	}
	stop := errors.New("stop")
	if err := n.Enumerate(t.Context(), func(string) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the ingester's error: %v", err)
	}
}

// TestBlobsAreThoseOfTheStore.
func TestBlobsAreThoseOfTheStore(t *testing.T) {
	n := namespace.New(newStore(t), namespace.Options{})
	push(t, n, "a", "v1")
	push(t, n, "b", "v1")
	blobs := 0
	if err := n.Blobs().Enumerate(t.Context(), func(d digest.Digest) error {
		blobs++
		desc, err := n.BlobStatter().Stat(t.Context(), d)
		if err == nil && desc.Digest != d {
			err = fmt.Errorf("it is %s", desc.Digest)
		}
		return err
	}); err != nil || blobs != 4 {
		t.Errorf("%d blobs, %v", blobs, err)
	}
}

// TestDescriptorsLeadToTheCanonicalDigest, which is written, read and cleared.
func TestDescriptorsLeadToTheCanonicalDigest(t *testing.T) {
	s := newStore(t)
	r := open(t, namespace.New(s, namespace.Options{}), "a")
	desc, err := r.Blobs(t.Context()).Put(t.Context(), "", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	long := digest.SHA512.FromString("content")
	service := r.Descriptors()
	if _, err := service.Stat(t.Context(), long); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("before it is set: %v", err)
	}
	for _, d := range []digest.Digest{digest.SHA512.FromString("other"), "sha512:1"} {
		if err := service.SetDescriptor(t.Context(), d, desc); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
			t.Errorf("%s: %v", d, err)
		}
	}
	if err := service.SetDescriptor(t.Context(), long, v1.Descriptor{Digest: digest.FromString("other")}); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("of no blob: %v", err)
	}
	if err := service.SetDescriptor(t.Context(), long, desc); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, namespace.New(s, namespace.Options{}), "a")
	for _, d := range []digest.Digest{long, desc.Digest} {
		if got, err := fresh.Descriptors().Stat(t.Context(), d); err != nil || got.Digest != desc.Digest || got.Size != desc.Size {
			t.Errorf("%s leads to %+v (%v), want %s", d, got, err, desc.Digest)
		}
	}
	if err := service.Clear(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if err := service.Clear(t.Context(), long); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("cleared twice: %v", err)
	}
	if _, err := service.Stat(t.Context(), long); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("after it is cleared: %v", err)
	}
	if got, err := fresh.Blobs(context.WithoutCancel(t.Context())).Get(t.Context(), desc.Digest); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDescriptorsLeadByTarSum.
func TestDescriptorsLeadByTarSum(t *testing.T) {
	s := newStore(t)
	r := open(t, namespace.New(s, namespace.Options{}), "a")
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "file", Size: 7, Mode: 0o644}), func() error { _, err := io.WriteString(w, "content"); return err }(), w.Close()); err != nil {
		t.Fatal(err)
	}
	desc, err := r.Blobs(t.Context()).Put(t.Context(), "", archive.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	text, err := tarsum.Compute(bytes.NewReader(archive.Bytes()), tarsum.Version1)
	if err != nil {
		t.Fatal(err)
	}
	d, service := digest.Digest(text), r.Descriptors()
	if _, err := service.Stat(t.Context(), d); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("before it is set: %v", err)
	}
	other := digest.Digest("tarsum.v1+sha256:" + digest.FromString("other").Encoded())
	for _, bad := range []digest.Digest{other, "tarsum.v7" + d[len("tarsum.v1"):], "tarsum.v1+sha256:..", "tarsum"} {
		if err := service.SetDescriptor(t.Context(), bad, desc); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := service.SetDescriptor(t.Context(), d, v1.Descriptor{Digest: digest.FromString("other")}); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("of what is missing: %v", err)
	}
	if err := service.SetDescriptor(t.Context(), d, desc); err != nil {
		t.Fatal(err)
	}
	if got, err := service.Stat(t.Context(), d); err != nil || got.Digest != desc.Digest || got.Size != desc.Size {
		t.Errorf("%s leads to %+v (%v), want %s", d, got, err, desc.Digest)
	}
	if err := service.Clear(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := service.Clear(t.Context(), d); !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("cleared twice: %v", err)
	}
	if _, err := r.Blobs(t.Context()).Stat(t.Context(), desc.Digest); err != nil {
		t.Error(err)
	}
}
