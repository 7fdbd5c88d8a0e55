package blobstore_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
)

// An upload is begun by one process and finished by another: all they share is the
// bucket.
func Example() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://example") // or s3://bucket/prefix?region=eu-west-1
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	name, err := reference.WithName("team/app")
	if err != nil {
		log.Fatal(err)
	}

	one, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	w, err := one.Repository(name).Create(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(w, strings.NewReader("hello, ")); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil { // what was written is persisted
		log.Fatal(err)
	}
	id := w.ID()

	other, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	blobs := other.Repository(name)
	w, err = blobs.Resume(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("goes on at", w.Size())
	if _, err := io.Copy(w, strings.NewReader("world")); err != nil {
		log.Fatal(err)
	}
	desc, err := w.Commit(ctx, v1.Descriptor{Digest: digest.FromString("hello, world")})
	if err != nil {
		log.Fatal(err)
	}
	content, err := blobs.Get(ctx, desc.Digest)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", content)
	// Output:
	// goes on at 7
	// hello, world
}

func ExampleStore_Sweep() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://sweep")
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	found, err := store.Sweep(ctx, blobstore.SweepOptions{OlderThan: 24 * time.Hour, DryRun: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Uploads, "abandoned uploads")
	// Output: 0 abandoned uploads
}
