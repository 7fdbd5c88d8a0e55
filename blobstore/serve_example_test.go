package blobstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
)

// A handler of one's own that serves the blobs of a repository: ranges, conditions and HEAD
// included, and by redirects where the store signs URLs.
func ExampleRepository_ServeBlob() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://handler")
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	name, err := reference.WithName("team/app")
	if err != nil {
		log.Fatal(err)
	}
	blobs := store.Repository(name)
	desc, err := blobs.Put(ctx, "", []byte("hello, world"))
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /blobs/{digest}", func(w http.ResponseWriter, r *http.Request) {
		err := blobs.ServeBlob(r.Context(), w, r, digest.Digest(r.PathValue("digest")))
		switch {
		case errors.Is(err, distribution.ErrBlobUnknown):
			http.NotFound(w, r)
		case err != nil:
			http.Error(w, "the store can't be reached", http.StatusServiceUnavailable)
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/blobs/"+desc.Digest.String(), strings.NewReader(""))
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Range", "bytes=7-")
	res, err := srv.Client().Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	fmt.Printf("%d %s %v\n", res.StatusCode, content, err)
	// Output: 206 world <nil>
}
