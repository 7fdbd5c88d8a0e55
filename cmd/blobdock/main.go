// Command blobdock runs a container registry whose blobs lie in object storage.
//
//	blobdock serve                     a registry on 127.0.0.1:5000, storing to ./blobdock-data
//	blobdock serve --storage URL       the same, storing to s3://, gs://, azblob://, file:// or mem://
//	blobdock serve CONFIG.yml          a CNCF distribution configuration, REGISTRY_* overrides included
//	blobdock serve --print-config      what would apply, without its secrets
//	blobdock gc URL                    remove what no manifest refers to, while clients push
//	blobdock garbage-collect CONFIG    the same for the storage of a configuration
//	blobdock doctor CONFIG|URL         describe a registry on one page, for a bug report
//	blobdock probe URL                 try out what a registry needs of a store
//	blobdock sweep URL                 remove abandoned uploads
//	blobdock check URL                 tell what is damaged, and repair it
//	blobdock usage URL                 tell who uses how much of a bucket
//	blobdock copy SRC DST              copy a registry to another store
//	blobdock completion SHELL          completions for bash, zsh, fish or powershell
//	blobdock version
package main

import (
	"context"
	"fmt"
	"os"

	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/silly"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/proxy"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/azure"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/gcs"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/cloudfront"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/redirect"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/rewrite"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/s3-aws"
	"github.com/spf13/cobra"

	_ "github.com/blobdock/blobdock/azure"
	_ "github.com/blobdock/blobdock/cloudcdn"
	_ "github.com/blobdock/blobdock/cloudfront"
	_ "github.com/blobdock/blobdock/driver/file"
	_ "github.com/blobdock/blobdock/driver/mem"
	_ "github.com/blobdock/blobdock/gcs"
	_ "github.com/blobdock/blobdock/registry"
	_ "github.com/blobdock/blobdock/s3"
)

func main() {
	if err := rootCommand().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "blobdock:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "blobdock",
		Short:         "A container registry on object storage",
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), doctorCommand(), probeCommand(), sweepCommand(), checkCommand(), usageCommand(), gcCommand(), garbageCollectCommand(), copyCommand(), upstreamCommand(), versionCommand(), manCommand())
	root.InitDefaultCompletionCmd()
	complete(root)
	return root
}
