package blobstore_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
)

// TestRepeatedPUT ends an upload twice, as a client does whose 201 was lost, where the
// session has outlived the first time. Both times it succeeds.
func TestRepeatedPUT(t *testing.T) {
	p := content(25, 9000)
	d := digest.FromBytes(p)
	for _, says := range []driver.Kind{driver.NotFound, driver.Mismatch} {
		b := driver.Wrap(driver.With(newBucket(t), copyOnly), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			err := next(ctx)
			if errors.Is(err, driver.NotFound) && (c.Op == driver.OpPutPart || c.Op == driver.OpCompleteUpload) {
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: says}
			}
			return err
		})
		keeps := newStore(t, fault.Wrap(b, fault.Script{{Op: driver.OpDeleteBatch}, {Op: driver.OpDelete}}))
		repo := newRepository(t, keeps, "app")
		w, err := repo.Create(request(http.MethodPost, "/", 0))
		if err != nil {
			t.Fatal(err)
		}
		id := w.ID()
		if w, err = repo.Resume(request(http.MethodPatch, "/", int64(len(p))), id); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for nth := range 2 {
			w, err := repo.Resume(request(http.MethodPut, "/?digest="+d.String(), 0), id)
			if err != nil {
				t.Fatalf("%v, PUT %d: %v", says, nth, err)
			}
			if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: d}); err != nil {
				t.Errorf("%v, PUT %d: %v", says, nth, err)
			}
			_ = w.Close()
			// What was staged went, and only the session stayed.
			_ = b.Delete(t.Context(), "docker/registry/v2/repositories/app/_uploads/"+id+"/data", driver.DeleteOptions{})
		}
	}
}
