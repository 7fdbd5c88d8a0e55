// Command provision builds what the tests need, so that the time limit of go
// test isn't spent on it:
//
//	go run ./integration/emulator/provision
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/blobdock/blobdock/integration/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := emulator.Provision(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "provision: %v\n", err)
		os.Exit(1)
	}
}
