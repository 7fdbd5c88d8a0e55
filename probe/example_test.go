package probe_test

import (
	"context"
	"fmt"
	"log"

	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/probe"
)

func ExampleRun() {
	ctx := context.Background()
	bucket, err := driver.Open(ctx, "mem://probed")
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	for r := range probe.Run(ctx, bucket) {
		if r.Status == probe.Failed {
			fmt.Println(r.Check, "fails:", r.Err, r.Grant)
		}
	}
	honoured, gaps, err := probe.Conditions(ctx, bucket)
	fmt.Println(honoured.Put == driver.AllConds, gaps, err)
	// Output: true [] <nil>
}
