package signatures_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/signatures"
)

var keys = layout.Layout{Root: layout.DefaultRoot}

// repo is a repository, with one image.
type repo struct {
	t      testing.TB
	bucket driver.Bucket
	store  *blobstore.Store
	*manifests.Repository
	image digest.Digest
}

func newRepo(t testing.TB, b driver.Bucket) repo {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	named, err := reference.WithName("team/app")
	if err != nil {
		t.Fatal(err)
	}
	r := repo{t, b, s, manifests.New(s).Repository(named, manifests.Options{Delete: true}), ""}
	layer, err := r.Blobs().Put(t.Context(), v1.MediaTypeImageLayerGzip, []byte("layer"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := json.Marshal(v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: layer, Layers: []v1.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.Parse(v1.MediaTypeImageManifest, digest.SHA256, p)
	if err == nil {
		err = r.Push(t.Context(), m, "v1")
	}
	if err != nil {
		t.Fatal(err)
	}
	r.image = m.Descriptor().Digest
	return r
}

// kinds are the services, and a signature of each.
var kinds = map[string]struct {
	service   func(repo) signatures.Service
	signature func(n int) []byte
}{
	"links": {
		func(r repo) signatures.Service { return signatures.Links(r.store, r.Repository) },
		func(n int) []byte { return fmt.Appendf(nil, `{"header":{"alg":"ES256"},"signature":"%d"}`, n) },
	},
	"referrers": {
		func(r repo) signatures.Service { return signatures.Referrers(r.Repository) },
		func(n int) []byte { return fmt.Appendf(nil, `{"signature":"%d"}`, n) },
	},
	"cosign": {
		func(r repo) signatures.Service { return signatures.Cosign(r.Repository) },
		func(n int) []byte {
			p, err := json.Marshal(signatures.CosignSignature{
				MIMEType: signatures.CosignMediaType, Payload: []byte(`{"critical":{}}`),
				Annotations: map[string]string{signatures.CosignSignatureKey: fmt.Sprint(n)},
			})
			if err != nil {
				panic(err)
			}
			return p
		},
	},
}

// onEach runs a test with each kind on an imitation of each store.
func onEach(t *testing.T, test func(t *testing.T, r repo, s signatures.Service, signature func(int) []byte)) {
	t.Helper()
	imitations := mem.Imitations()
	for name, kind := range kinds {
		for _, store := range slices.Sorted(maps.Keys(imitations)) {
			t.Run(name+"/"+store, func(t *testing.T) {
				t.Parallel()
				o := imitations[store]
				o.KeyInterval /= 50
				r := newRepo(t, mem.NewWith(o))
				test(t, r, kind.service(r), kind.signature)
			})
		}
	}
}

func sorted(all [][]byte) []string {
	text := make([]string, len(all))
	for i, p := range all {
		text[i] = string(p)
	}
	slices.Sort(text)
	return text
}

func want(t *testing.T, s signatures.Service, d digest.Digest, want ...[]byte) {
	t.Helper()
	got, err := s.Get(t.Context(), d)
	if err != nil || !slices.Equal(sorted(got), sorted(want)) {
		t.Errorf("signatures are %q (%v), want %q", got, err, want)
	}
}

func objects(t *testing.T, b driver.Bucket) (all []string) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key+" "+e.ETag)
	}
	return all
}

// TestGetReturnsAllThatWasPut, each as it was put, and one that was put twice once.
func TestGetReturnsAllThatWasPut(t *testing.T) {
	onEach(t, func(t *testing.T, r repo, s signatures.Service, signature func(int) []byte) {
		want(t, s, r.image)
		for _, put := range [][][]byte{{signature(1)}, {signature(2), signature(3)}, {signature(1)}, {}} {
			if err := s.Put(t.Context(), r.image, put...); err != nil {
				t.Fatal(err)
			}
		}
		want(t, s, r.image, signature(1), signature(2), signature(3))
		want(t, s, digest.FromString("another"))
		if _, err := s.Get(t.Context(), "sha256:short"); err == nil {
			t.Error("signatures of what is no digest")
		}
	})
}

// TestPutOfAnUnknownManifest changes nothing, and so does one signature of several that is none.
func TestPutOfAnUnknownManifest(t *testing.T) {
	onEach(t, func(t *testing.T, r repo, s signatures.Service, signature func(int) []byte) {
		before := objects(t, r.bucket)
		if err := s.Put(t.Context(), digest.FromString("another"), signature(1)); !errors.As(err, new(distribution.ErrManifestUnknownRevision)) {
			t.Errorf("signature of an unknown manifest: %v", err)
		}
		for _, bad := range []string{"", " ", "no JSON", "[]", "{} {}", `"text"`, "{", strings.Repeat(" ", signatures.MaxSize) + "{}"} {
			if err := s.Put(t.Context(), r.image, signature(1), []byte(bad)); !errors.Is(err, signatures.ErrInvalid) || !strings.Contains(err.Error(), "signature 1: ") {
				t.Errorf("signature %.20q: %v", bad, err)
			}
		}
		if after := objects(t, r.bucket); !slices.Equal(after, before) {
			t.Errorf("objects are %q, want %q", after, before)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Put(ctx, r.image, signature(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
}

// TestLinksLieWhereDockersRegistryHadThem, and name the blob.
func TestLinksLieWhereDockersRegistryHadThem(t *testing.T) {
	r := newRepo(t, mem.New())
	p := []byte(`{"signature":"x"}`)
	if err := signatures.Links(r.store, r.Repository).Put(t.Context(), r.image, p); err != nil {
		t.Fatal(err)
	}
	d := digest.FromBytes(p)
	at := "docker/registry/v2/repositories/team/app/_manifests/revisions/sha256/" + r.image.Encoded() + "/signatures/sha256/" + d.Encoded() + "/link"
	for key, want := range map[string]string{at: d.String(), keys.Blob(d): string(p)} {
		if got := read(t, r.bucket, key); got != want {
			t.Errorf("%s has %q, want %q", key, got, want)
		}
	}
}

// TestDamagedSignature is told, not returned.
func TestDamagedSignature(t *testing.T) {
	r := newRepo(t, mem.New())
	p := []byte(`{"signature":"x"}`)
	s := signatures.Links(r.store, r.Repository)
	if err := s.Put(t.Context(), r.image, p); err != nil {
		t.Fatal(err)
	}
	write(t, r.bucket, keys.Blob(digest.FromBytes(p)), `{"signature":"y"}`)
	if got, err := s.Get(t.Context(), r.image); !errors.Is(err, driver.Corrupt) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCosignsOwnFormat is read as cosign writes it, and layers of other types are left alone.
func TestCosignsOwnFormat(t *testing.T) {
	for name, change := range map[string]func(*signatures.CosignSignature){
		"mimeType":    func(s *signatures.CosignSignature) { s.MIMEType = "application/json" },
		"annotations": func(s *signatures.CosignSignature) { s.Annotations = nil },
		"payload":     func(s *signatures.CosignSignature) { s.Payload = []byte("text") },
	} {
		r := newRepo(t, mem.New())
		sig := signatures.CosignSignature{MIMEType: signatures.CosignMediaType, Payload: []byte("{}"), Annotations: map[string]string{signatures.CosignSignatureKey: "MEUC"}}
		change(&sig)
		p, err := json.Marshal(sig)
		if err != nil {
			t.Fatal(err)
		}
		if err := signatures.Cosign(r.Repository).Put(t.Context(), r.image, p); !errors.Is(err, signatures.ErrInvalid) || !strings.Contains(err.Error(), name) && name != "payload" {
			t.Errorf("bad %s: %v", name, err)
		}
	}
	r := newRepo(t, mem.New())
	payload, err := r.Blobs().Put(t.Context(), signatures.CosignMediaType, []byte(`{"critical":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	layer := payload
	layer.Annotations = map[string]string{signatures.CosignSignatureKey: "MEUC", "dev.sigstore.cosign/bundle": "{}"}
	p, err := json.Marshal(v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: payload, Layers: []v1.Descriptor{layer, payload}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifests.Parse(v1.MediaTypeImageManifest, digest.SHA256, p)
	if err == nil {
		err = r.Push(t.Context(), m, "sha256-"+r.image.Encoded()+".sig")
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := signatures.Cosign(r.Repository).Get(t.Context(), r.image)
	if err != nil || len(got) != 1 || !strings.Contains(string(got[0]), `"dev.sigstore.cosign/bundle":"{}"`) {
		t.Errorf("%q, %v", got, err)
	}
}

func read(t *testing.T, b driver.Bucket, key string) string {
	t.Helper()
	r, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := make([]byte, 1<<10)
	n, _ := r.Read(p)
	return string(p[:n])
}

func write(t *testing.T, b driver.Bucket, key, text string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestExtensionList returns no more than clients read.
func TestExtensionList(t *testing.T) {
	r := newRepo(t, mem.New())
	x := signatures.NewExtension(r.Repository)
	for i := range 80 {
		s := signatures.NewSignature(r.image, bytes.Repeat([]byte{byte(i)}, 40<<10))
		if err := x.Add(t.Context(), r.image, s); err != nil {
			t.Fatal(err)
		}
	}
	all, err := x.Get(t.Context(), r.image)
	p, _ := json.Marshal(all)
	if err != nil || len(all) < 30 || len(p) > 4<<20 {
		t.Errorf("%d signatures, %d bytes of JSON (%v), want at most 4 MiB", len(all), len(p), err)
	}
	if err := x.Add(t.Context(), r.image, signatures.NewSignature(r.image, make([]byte, 60<<10))); !errors.Is(err, signatures.ErrInvalid) {
		t.Errorf("a signature of more than 64 KiB: %v", err)
	}
}
