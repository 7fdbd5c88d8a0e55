package gc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/manifests"
)

var keys = layout.Layout{Root: layout.DefaultRoot}

// stores are those that versions decide on: each object has one of its own, or equal bytes have
// the same.
var stores = map[string]func() driver.Bucket{
	"versions":    func() driver.Bucket { return mem.NewWith(mem.Imitations()["gcs"]) },
	"no versions": func() driver.Bucket { return mem.NewWith(mem.Imitations()["minio"]) },
}

// replica is a process on a bucket.
type replica struct {
	t       testing.TB
	bucket  driver.Bucket
	store   *blobstore.Store
	service *manifests.Service
}

func newReplica(t testing.TB, b driver.Bucket) replica {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return replica{t, b, s, manifests.New(s)}
}

func (r replica) repository(name string) *manifests.Repository {
	named, err := reference.WithName(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.service.Repository(named, manifests.Options{Delete: true})
}

func (r replica) blobs(name string) *blobstore.Repository {
	named, err := reference.WithName(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.store.Repository(named)
}

// blob pushes a blob.
func (r replica) blob(repo, mediaType, text string) v1.Descriptor {
	r.t.Helper()
	d, err := r.blobs(repo).Put(r.t.Context(), mediaType, []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	d.MediaType = mediaType
	return d
}

// manifest is an image of these layers, without its blobs.
func manifest(t testing.TB, change func(*v1.Manifest), layers ...v1.Descriptor) *manifests.Manifest {
	t.Helper()
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: layers[0], Layers: layers}
	if change != nil {
		change(&m)
	}
	return parse(t, m.MediaType, m)
}

func parse(t testing.TB, mediaType string, m any) *manifests.Manifest {
	t.Helper()
	p, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := manifests.Parse(mediaType, digest.SHA256, p)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// image pushes an image with one layer of a text.
func (r replica) image(repo, text string, tags ...string) *manifests.Manifest {
	r.t.Helper()
	m := manifest(r.t, nil, r.blob(repo, v1.MediaTypeImageLayerGzip, text))
	if err := r.repository(repo).Push(r.t.Context(), m, tags...); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// delete removes a manifest and its tags.
func (r replica) delete(repo string, m *manifests.Manifest) {
	r.t.Helper()
	if err := r.repository(repo).Delete(r.t.Context(), m.Descriptor().Digest); err != nil {
		r.t.Fatal(err)
	}
}

// head is the context of a client that wants to know whether it must push.
func head(ctx context.Context) context.Context {
	return blobstore.WithRequest(ctx, httptest.NewRequest(http.MethodHead, "/", nil))
}

// whole reports what keeps a new process from serving all of an image.
func whole(t testing.TB, b driver.Bucket, repo, ref string) error {
	t.Helper()
	r := newReplica(t, b)
	m, err := r.repository(repo).Resolve(t.Context(), ref)
	if err != nil {
		return err
	}
	for _, ref := range m.References() {
		if _, err := r.blobs(repo).Get(t.Context(), ref.Digest); err != nil {
			return fmt.Errorf("%s: %w", ref.Digest, err)
		}
	}
	return nil
}

// runGC is gc.Run on a bucket that repeats what fails in passing.
func runGC(ctx context.Context, b driver.Bucket, o gc.Options) (gc.Summary, error) {
	return gc.Run(ctx, retry.Wrap(b, retry.Policy{}), o)
}

func collect(t testing.TB, b driver.Bucket, o gc.Options) gc.Summary {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := runGC(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// list is all keys of a bucket below a prefix.
func list(t testing.TB, b driver.Bucket, prefix string) (all []string) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key)
	}
	return all
}

const day = 24 * time.Hour
