package registry

import (
	"context"
	"errors"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/manifests"
)

// TestDeleteOutsideOfRequests deletes a manifest as a pull-through cache does whose manifest
// has expired.
func TestDeleteOutsideOfRequests(t *testing.T) {
	s, err := blobstore.New(mem.New(), blobstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := NewDriver(s)
	inner, err := storage.NewRegistry(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := newMiddleware(t.Context(), inner, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	remove := func(ctx context.Context) error {
		name, _ := reference.WithName("a")
		repo, err := ns.Repository(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := repo.Manifests(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return m.Delete(ctx, digest.FromString("x"))
	}
	if err := remove(t.Context()); !errors.Is(err, distribution.ErrUnsupported) {
		t.Errorf("before any request: %v, want ErrUnsupported", err)
	}
	request := context.WithValue(t.Context(), answerKey{}, &answer{manifests: manifests.Options{Delete: true}})
	for _, ctx := range []context.Context{request, t.Context()} {
		if err := remove(ctx); !errors.Is(err, distribution.ErrBlobUnknown) {
			t.Errorf("%v, want ErrBlobUnknown", err)
		}
	}
}
