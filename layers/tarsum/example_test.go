package tarsum_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/layers/tarsum"
)

// A layer is pushed and pulled by its tarsum.
func Example() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://tarsum") // or s3://bucket/prefix?region=eu-west-1
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	store, err := blobstore.New(bucket, blobstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	var content bytes.Buffer
	w := tar.NewWriter(&content)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "greeting", Mode: 0o644, Size: 5}); err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, "hello"); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	sum, err := tarsum.Compute(bytes.NewReader(content.Bytes()), tarsum.Version1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)

	var service tarsum.LayerService = tarsum.New(ctx, store)
	upload, err := service.Upload("team/app", sum)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := upload.Write(content.Bytes()); err != nil {
		log.Fatal(err)
	}
	pushed, err := upload.Finish(int64(content.Len()), digest.FromBytes(content.Bytes()))
	if err != nil {
		log.Fatal(err)
	}
	defer pushed.Close()

	_, err = service.Upload("team/app", sum)
	fmt.Println(err)
	layer, err := service.Fetch("team/app", sum)
	if err != nil {
		log.Fatal(err)
	}
	defer layer.Close()
	size, err := layer.Seek(0, io.SeekEnd)
	fmt.Println(layer.Name(), size, err)
	// Output:
	// tarsum.v1+sha256:c77cc268fc835ab801f7729e443bce8bb9371516fea78023dea5799ac1672969
	// layer exists
	// team/app 2048 <nil>
}
