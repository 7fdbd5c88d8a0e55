// Package oci is a registry's store as an ociregistry.Interface, so that the parts of
// cuelabs.dev/go/oci/ociregistry fit together with a bucket: its ociserver makes a registry of
// it, its filters restrict it, its unions join it with others.
//
//	bucket, err := driver.Open(ctx, "s3://bucket/prefix?region=eu-west-1")
//	...
//	store, err := blobstore.New(bucket, blobstore.Options{})
//	...
//	server := ociserver.New(oci.New(store, oci.Options{Redirect: true}), &ociserver.Options{
//		LocationsForDescriptor: oci.Locations,
//		WriteError:             oci.WriteError,
//	})
//	err = http.ListenAndServe(":5000", oci.Handler(server))
//
// The packages oras and ggcr below this one are the same for oras-go and
// go-containerregistry.
package oci
