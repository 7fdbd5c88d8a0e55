package transfer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/transfer"
)

func ExampleCopy() {
	ctx := context.Background()
	open := func(url string) *blobstore.Store {
		bucket, err := driver.Open(ctx, url)
		if err != nil {
			log.Fatal(err)
		}
		store, err := blobstore.New(bucket, blobstore.Options{})
		if err != nil {
			log.Fatal(err)
		}
		return store
	}
	src, dst := open("mem://from"), open("mem://to")
	defer src.Close()
	defer dst.Close()
	name, err := reference.WithName("team/app")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := src.Repository(name).Put(ctx, "", []byte("a layer")); err != nil {
		log.Fatal(err)
	}

	done, err := transfer.Copy(ctx, src, dst, transfer.Options{
		Problem: func(p transfer.Problem) { fmt.Println(p.Kind, p.Key, p.Err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Blobs, "blob of", done.Bytes, "bytes and", done.Links, "link")
	// Output: 1 blob of 7 bytes and 1 link
}
