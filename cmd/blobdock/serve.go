package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/spf13/cobra"

	blobdock "github.com/blobdock/blobdock/registry"
)

// serveFlags are the flags of serve without a configuration file.
type serveFlags struct {
	storage, listen, redirect, logLevel string
	gc, printConfig                     bool
}

const (
	defaultStorage = "file://./blobdock-data"
	defaultListen  = "127.0.0.1:5000"
)

func serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [CONFIG.yml]",
		Short: "Run a registry",
		Long: `Run a registry.

Without a file, the flags say where it listens and what it stores to. With a file,
it is a configuration of CNCF distribution, whose REGISTRY_* variables override it
as usual; flags that are given override both.`,
		Example: `  blobdock serve
  blobdock serve --storage 's3://my-bucket/registry?region=eu-west-1'
  blobdock serve --storage 's3://bucket?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=true'
  blobdock serve /etc/distribution/config.yml
  blobdock serve --print-config /etc/distribution/config.yml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := configure(cmd, f, args)
			if err != nil {
				return err
			}
			if f.printConfig {
				return printConfig(cmd.Context(), cmd.OutOrStdout(), config)
			}
			return serve(cmd.Context(), cmd.OutOrStdout(), config)
		},
	}
	cmd.Flags().StringVar(&f.storage, "storage", defaultStorage, "store's `URL`: s3://bucket/prefix?options, gs://bucket, azblob://container, file://directory, mem://name")
	cmd.Flags().StringVar(&f.listen, "listen", defaultListen, "`address` to listen on")
	cmd.Flags().StringVar(&f.redirect, "redirect", "on", "send pulls to signed URLs of the store: on or off")
	cmd.Flags().BoolVar(&f.gc, "gc", false, "collect garbage while it runs, once a day; all registries on the bucket must be blobdock")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "warn", "error, warn, info or debug; info adds the access log")
	cmd.Flags().BoolVar(&f.printConfig, "print-config", false, "print what would apply, defaults included and secrets not, and exit")
	return cmd
}

func serve(ctx context.Context, out io.Writer, config *configuration.Configuration) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // which ends the process otherwise
	defer signal.Stop(hangups)
	disableDefaultTracing()
	bridgeSlog(config)
	if err := checkAddress(ctx, config); err != nil {
		return err
	}
	if err := awaitStorage(ctx, config); err != nil {
		return err
	}
	limitMemory(config)
	ready, err := newReadiness(ctx, config)
	if err != nil {
		return err
	}
	if err := startOffline(config); err != nil {
		return err
	}
	srv, err := newServer(ctx, config)
	if err != nil {
		return err
	}
	defer applyTraceExporter()()
	if err := serveDebug(ctx, config, ready); err != nil {
		return err
	}
	return srv.run(ctx, hangups, func(addr net.Addr) { announce(out, config, addr, srv.tls) }, func() { ready.draining.Store(true) })
}

// overhead is what the Go heap may take beside the part buffers: connections, and
// garbage between two collections. The program's own pages come on top.
const overhead = 64 << 20

// limitMemory makes the garbage collector work harder rather than let the
// process grow far beyond its budget. GOMEMLIMIT, when set, stands.
func limitMemory(config *configuration.Configuration) {
	if os.Getenv("GOMEMLIMIT") != "" || config.Storage.Type() != blobdock.Name {
		return
	}
	if c, err := blobdock.ParseConfig(config.Storage.Parameters()); err == nil {
		debug.SetMemoryLimit(c.Options.MemoryBudget + overhead)
	}
}
