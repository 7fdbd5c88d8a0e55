// Command stock is distribution's registry with its azure driver, in the versions that wrote
// append blobs:
//
//	stock serve CONFIG.yml
//
// It is a module of its own, with a go.mod for each version: v3.0.0.mod is for go build
// -modfile, and so on.
package main

import (
	"fmt"
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/azure"
)

func main() {
	if err := registry.RootCmd.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "stock:", err)
		os.Exit(1)
	}
}
