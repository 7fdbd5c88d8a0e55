// Command provision builds what the tests need, so that the time limit of go
// test isn't spent on it:
//
//	go run ./integration/emulator/provision
//
// With -stores it builds the S3 servers of other makers instead, which
// emulator.NewStore starts, and with -clients the clients of registries that
// emulator.NewClient returns. Some take many minutes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/blobdock/blobdock/integration/emulator"
)

func main() {
	stores := flag.Bool("stores", false, "build the S3 servers of other makers")
	clients := flag.Bool("clients", false, "build clients of registries")
	flag.Parse()
	provision := emulator.Provision
	switch {
	case *stores:
		provision = emulator.ProvisionStores
	case *clients:
		provision = emulator.ProvisionClients
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := provision(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "provision: %v\n", err)
		os.Exit(1)
	}
}
