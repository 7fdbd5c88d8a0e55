package manifests_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/manifests"
)

var keys = layout.Layout{Root: layout.DefaultRoot}

var deleting = manifests.Options{Delete: true}

// replica is a process on a bucket.
type replica struct {
	t       testing.TB
	store   *blobstore.Store
	service *manifests.Service
}

func newReplica(t testing.TB, b driver.Bucket) replica {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return replica{t, s, manifests.New(s)}
}

// repository is for one request.
func (r replica) repository(name string, o manifests.Options) *manifests.Repository {
	r.t.Helper()
	named, err := reference.WithName(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.service.Repository(named, o)
}

// blobs are a repository's.
func (r replica) blobs(repo string) *blobstore.Repository {
	r.t.Helper()
	named, err := reference.WithName(repo)
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

// image pushes the blobs of an image, and is its manifest, after change.
func (r replica) image(repo string, change func(*v1.Manifest)) *manifests.Manifest {
	r.t.Helper()
	text := fmt.Sprint(rand.Uint64())
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: r.blob(repo, v1.MediaTypeImageConfig, `{"x":"`+text+`"}`),
		Layers: []v1.Descriptor{r.blob(repo, v1.MediaTypeImageLayer, text)},
	}
	if change != nil {
		change(&m)
	}
	return parsed(r.t, m.MediaType, digest.SHA256, m)
}

// pushed is an image that was put.
func (r replica) pushed(repo string, change func(*v1.Manifest)) *manifests.Manifest {
	r.t.Helper()
	m := r.image(repo, change)
	if _, err := r.repository(repo, deleting).Put(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// tag makes a tag of repo m.
func (r replica) tag(repo, tag string, m *manifests.Manifest) {
	r.t.Helper()
	if err := r.repository(repo, deleting).Tags().Tag(r.t.Context(), tag, m.Descriptor()); err != nil {
		r.t.Fatal(err)
	}
}

func parsed(t testing.TB, mediaType string, a digest.Algorithm, m any) *manifests.Manifest {
	t.Helper()
	p, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifests.Parse(mediaType, a, p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// write puts an object into the bucket.
func write(t testing.TB, b driver.Bucket, key, text string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// under is the keys of a bucket with a prefix.
func under(t testing.TB, b driver.Bucket, prefix string) (found []string) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: prefix}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e.Key)
	}
	return found
}
