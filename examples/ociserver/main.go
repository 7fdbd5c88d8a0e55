// Command ociserver is a registry of a bucket, the URL of which is its argument: OCI's API by
// cuelabs.dev/go/oci/ociregistry, without distribution.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"cuelabs.dev/go/oci/ociregistry/ociserver"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/oci"
	_ "github.com/blobdock/blobdock/s3" // others are gcs, azure and driver/file
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: ociserver s3://bucket/prefix?region=eu-west-1")
	}
	bucket, err := driver.Open(context.Background(), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	store, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	server := ociserver.New(oci.New(store, oci.Options{Redirect: true}), &ociserver.Options{LocationsForDescriptor: oci.Locations, WriteError: oci.WriteError})
	log.Fatal(http.ListenAndServe("127.0.0.1:5000", oci.Handler(server))) //nolint:gosec // an example
}
