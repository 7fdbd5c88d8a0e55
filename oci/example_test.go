package oci_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"cuelabs.dev/go/oci/ociregistry/ociserver"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/oci"
)

// A registry without distribution.
func Example() {
	bucket, err := driver.Open(context.Background(), "mem://oci") // or s3://bucket/prefix?region=eu-west-1
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	registry := ociserver.New(oci.New(store, oci.Options{Redirect: true}), &ociserver.Options{LocationsForDescriptor: oci.Locations, WriteError: oci.WriteError})
	srv := httptest.NewServer(oci.Handler(registry))
	defer srv.Close()

	app := strings.TrimPrefix(srv.URL, "http://") + "/team/app"
	if err := crane.Push(empty.Image, app+":v1"); err != nil {
		log.Fatal(err)
	}
	tags, err := crane.ListTags(app)
	fmt.Println(tags, err)
	// Output: [v1] <nil>
}
