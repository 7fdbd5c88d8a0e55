package layers_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/layers"
)

// A layer comes in two requests. The second one resumes the upload, and seeks to its end.
func Example() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://layers") // or s3://bucket/prefix?region=eu-west-1
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Options{Secret: []byte("the same on all replicas")})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	name, err := reference.WithName("team/app")
	if err != nil {
		log.Fatal(err)
	}
	var service layers.LayerService = layers.New(ctx, store, name)

	upload, err := service.Upload()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(upload, strings.NewReader("hello, ")); err != nil {
		log.Fatal(err)
	}
	if err := upload.Close(); err != nil {
		log.Fatal(err)
	}

	upload, err = service.Resume(upload.UUID())
	if err != nil {
		log.Fatal(err)
	}
	at, err := upload.Seek(0, io.SeekEnd)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("goes on at", at)
	if _, err := io.Copy(upload, strings.NewReader("world")); err != nil {
		log.Fatal(err)
	}
	layer, err := upload.Finish(digest.FromString("hello, world"))
	if err != nil {
		log.Fatal(err)
	}
	defer layer.Close()
	content, err := io.ReadAll(layer)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s has %d bytes: %s\n", layer.Name(), layer.Length(), content)
	// Output:
	// goes on at 7
	// team/app has 12 bytes: hello, world
}
