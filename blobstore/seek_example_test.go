package blobstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
)

// An upload goes back to before its last bytes, which were wrong.
func ExampleWriter_Seek() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://seek")
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	name, err := reference.WithName("team/app")
	if err != nil {
		log.Fatal(err)
	}
	w, err := store.Repository(name).CreateWriter(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	for _, s := range []string{"hello, ", "moon"} {
		if _, err := w.ReadFrom(strings.NewReader(s)); err != nil {
			log.Fatal(err)
		}
	}
	_, err = w.Seek(3, io.SeekStart)
	fmt.Println(err, errors.Is(err, blobstore.ErrUploadOffset))
	if _, err := w.Seek(-4, io.SeekEnd); err != nil {
		log.Fatal(err)
	}
	if _, err := w.ReadFrom(strings.NewReader("world")); err != nil {
		log.Fatal(err)
	}
	desc, err := w.Commit(ctx, v1.Descriptor{Digest: digest.FromString("hello, world")})
	fmt.Println(desc.Size, err)
	// Output:
	// the upload has no state at byte 3: seek to one of 0, 7, 11 true
	// 12 <nil>
}
