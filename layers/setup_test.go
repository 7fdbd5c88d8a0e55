package layers_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/layers"
)

func newBucket() driver.Bucket { return mem.NewWith(mem.Imitations()["minio"]) }

func newStore(t testing.TB, b driver.Bucket, o blobstore.Options) *blobstore.Store {
	t.Helper()
	o.Secret, o.Log = []byte("secret"), slog.New(slog.DiscardHandler)
	o.Retry = retry.Policy{Base: time.Millisecond, Total: 10 * time.Millisecond}
	s, err := blobstore.New(b, o)
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

func service(t testing.TB, s *blobstore.Store) *layers.Service {
	t.Helper()
	return layers.New(t.Context(), s, named(t, "team/app"))
}

// begin begins an upload with content.
func begin(t testing.TB, s layers.LayerService, content string) layers.LayerUpload {
	t.Helper()
	u, err := s.Upload()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	if _, err := u.ReadFrom(strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	return u
}

// push uploads content.
func push(t testing.TB, s layers.LayerService, content string) layers.Layer {
	t.Helper()
	l, err := begin(t, s, content).Finish(digest.FromString(content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// wantNothing closes s, which tidies up, and looks at what is in the bucket.
func wantNothing(t testing.TB, b driver.Bucket, s *blobstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for e, err := range driver.List(context.Background(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s is left", e.Key)
	}
}
