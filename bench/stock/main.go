//go:debug x509usefallbackroots=1

// Command stock is distribution's registry with its own drivers, as distribution's
// program has them, for blobdock to be compared with:
//
//	stock serve CONFIG.yml
//
// Its drivers can't be given certificates. With those of the file in STOCK_CA_FILE it
// trusts no others, on any system.
//
// It is a module of its own, so that everything has the versions that distribution
// itself names.
package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/azure"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/gcs"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"
)

func main() {
	err := trust(os.Getenv("STOCK_CA_FILE"))
	if err == nil {
		err = registry.RootCmd.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stock:", err)
		os.Exit(1)
	}
}

func trust(file string) error {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("STOCK_CA_FILE %s: no certificate", file)
	}
	x509.SetFallbackRoots(roots)
	return nil
}
