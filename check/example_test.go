package check_test

import (
	"context"
	"fmt"
	"log"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
)

func ExampleRun() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://checked")
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	_, err = check.Run(ctx, bucket, check.Options{
		OnFinding: func(f check.Finding) { fmt.Println(f.Kind, f.Key) },
	})
	fmt.Println(err)
	// Output: below docker/registry/v2/: no registry is there
}
