package oci_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/oci"
)

// TestNoWordsOfTheStore has requests fail by each kind of error of a store: no answer has the
// store's own words or a key.
func TestNoWordsOfTheStore(t *testing.T) {
	for kind := driver.Unknown; kind <= driver.TooLarge; kind++ {
		var failing atomic.Bool
		b := driver.Wrap(mem.New(), func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
			if failing.Load() {
				return &driver.Error{Op: call.Op, Key: "docker/registry/v2/secret-key", Kind: kind, Code: "StoresCode", Err: errors.New("words of the store")}
			}
			return next(ctx)
		})
		s, err := blobstore.New(b, blobstore.Options{Secret: []byte("secret"), Retry: retry.Policy{Attempts: 1, Throttled: 1}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		base := "http://" + serve(t, s, oci.Options{Redirect: true}) + "/v2/"
		failing.Store(true)
		for _, at := range []string{"a/manifests/v1", "a/blobs/" + digest.FromString("x").String(), "a/tags/list", "_catalog", "a/referrers/" + digest.FromString("x").String()} {
			resp, err := http.Get(base + at)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			for _, own := range []string{"words of the store", "StoresCode", "docker/registry"} {
				if strings.Contains(string(body), own) {
					t.Errorf("%s, GET %s: %q in %s", kind, at, own, body)
				}
			}
		}
		failing.Store(false)
	}
}
