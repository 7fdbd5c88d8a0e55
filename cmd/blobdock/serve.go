package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry"
	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/probe"
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

// checkTimeout bounds the look at the store before serving begins: some 30 requests, one
// after the other.
const checkTimeout = 30 * time.Second

func serve(ctx context.Context, out io.Writer, config *configuration.Configuration) error {
	disableDefaultTracing()
	bridgeSlog(config)
	if err := checkAddress(ctx, config); err != nil {
		return err
	}
	if err := checkStorage(ctx, config); err != nil {
		return err
	}
	limitMemory(config)
	ready, err := newReadiness(ctx, config)
	if err != nil {
		return err
	}
	r, err := newRegistry(ctx, config)
	if err != nil {
		return err
	}
	defer applyTraceExporter()()
	if err := serveDebug(ctx, config, ready); err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		if !awaitListening(ctx, config, stop) {
			return // it could not listen, and says so itself
		}
		announce(out, config)
		ready.watch(stop)
	}()
	if err := r.ListenAndServe(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newRegistry turns distribution's panics on a wrong configuration into errors.
func newRegistry(ctx context.Context, config *configuration.Configuration) (r *registry.Registry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("configuration: %v", p)
		}
	}()
	return registry.NewRegistry(ctx, config)
}

// checkAddress finds out that an address is taken before anything says that the
// registry is there.
func checkAddress(ctx context.Context, config *configuration.Configuration) error {
	if config.HTTP.Net != "" && config.HTTP.Net != "tcp" {
		return nil // a socket that is handed in, or a file
	}
	var l net.ListenConfig
	ln, err := l.Listen(ctx, "tcp", config.HTTP.Addr)
	if err != nil {
		return err
	}
	return ln.Close()
}

// checkStorage looks at the store once, so that a wrong bucket, key or endpoint shows
// at the start and not at the first push.
func checkStorage(ctx context.Context, config *configuration.Configuration) error {
	if config.Storage.Type() != blobdock.Name {
		return nil
	}
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	s, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := blobdock.NewDriver(s).Stat(ctx, "/"); err != nil {
		return fmt.Errorf("storage %s: %w", redact(c.URL), err)
	}
	return adapt(ctx, config, c)
}

// adapt finds out which kind of store there is, where the configuration does not say, and
// which conditions of writes it honours. What the store refuses or ignores is not asked of
// it: to rely on conditions costs a race between two writers more. The error is that of a
// directory on a file system that can't be written to as it must be.
func adapt(ctx context.Context, config *configuration.Configuration, c blobdock.Config) error {
	found, err := probe.Adapt(ctx, opener(c))
	switch {
	case errors.Is(err, file.ErrFileSystem):
		return fmt.Errorf("storage %s: %w", redact(c.URL), err)
	case err != nil:
		// A registry may be allowed to read only.
		slog.DebugContext(ctx, "not all is known of the store", "storage", redact(c.URL), "cause", err)
	}
	profile := found.Options["profile"]
	if profile != "" {
		slog.InfoContext(ctx, "the store is recognised by its replies", "storage", redact(c.URL), "profile", profile)
	}
	if len(found.Gaps) > 0 {
		remedy := "set another release of the store up, or another profile"
		if want := found.Options["conditions"]; want != "" && c.Takes("conditions") {
			remedy = "conditions=" + want + " is taken"
		}
		slog.WarnContext(ctx, "the store does not honour all conditional writes: of two clients that write to one upload at once, one may have to begin anew",
			"storage", redact(c.URL), "remedy", remedy, "profile", profile, "cause", fmt.Sprint(found.Gaps))
	}
	if found.NoPartCopy != nil {
		slog.WarnContext(ctx, "the store does not copy parts of uploads: the bytes of an upload by PATCH go through this process once more",
			"storage", redact(c.URL), "remedy", "part_copy=false is taken", "cause", found.NoPartCopy)
	}
	for name, value := range found.Options {
		if c.Takes(name) {
			config.Storage[blobdock.Name][name] = value
		}
	}
	return nil
}

// opener opens a configured store with further options.
func opener(c blobdock.Config) func(context.Context, driver.Overrides) (driver.Bucket, error) {
	return func(ctx context.Context, more driver.Overrides) (driver.Bucket, error) {
		s, err := c.WithOverrides(more).Open(ctx)
		if err != nil {
			return nil, err
		}
		return storeBucket{s.Bucket(), s}, nil
	}
}

// storeBucket closes the engine with the bucket.
type storeBucket struct {
	driver.Bucket
	store *blobstore.Store
}

func (b storeBucket) Close() error { return b.store.Close() }

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

// awaitListening waits until the registry can be reached. It is false when stop came
// first.
func awaitListening(ctx context.Context, config *configuration.Configuration, stop <-chan struct{}) bool {
	addr := reachable(config.HTTP.Addr)
	dialer := net.Dialer{Timeout: time.Second}
	for range 100 {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
		select {
		case <-stop:
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	return true
}

// announce says where the registry is and what to try.
func announce(out io.Writer, config *configuration.Configuration) {
	addr := reachable(config.HTTP.Addr)
	fmt.Fprintf(out, "registry   %s://%s\n", scheme(config), addr)
	fmt.Fprintf(out, "storage    %s\n", describeStorage(config))
	fmt.Fprintf(out, "try        crane copy alpine:latest %s/alpine:latest\n", addr)
	fmt.Fprintf(out, "           docker push %s/alpine:latest\n", addr)
}

// reachable replaces an unspecified host by one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func scheme(config *configuration.Configuration) string {
	if config.HTTP.TLS.Certificate != "" || config.HTTP.TLS.LetsEncrypt.CacheFile != "" {
		return "https"
	}
	return "http"
}

func describeStorage(config *configuration.Configuration) string {
	if config.Storage.Type() != blobdock.Name {
		return config.Storage.Type() + " (distribution's own driver)"
	}
	raw, _ := config.Storage.Parameters()["url"].(string)
	if raw == defaultStorage {
		if abs, err := filepath.Abs("blobdock-data"); err == nil {
			return raw + "  (" + abs + ")"
		}
	}
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		return redact(raw)
	}
	where := redact(c.URL)
	endpoint := c.Overrides["endpoint"]
	if u, err := driver.ParseURL(c.URL); err == nil && endpoint == "" {
		endpoint = u.Query().Get("endpoint")
	}
	var notes []string
	if endpoint != "" {
		notes = append(notes, redact(endpoint))
	}
	if profile := c.Overrides["profile"]; profile != "" {
		notes = append(notes, "profile "+profile)
	}
	if len(notes) > 0 {
		where += "  (" + strings.Join(notes, ", ") + ")"
	}
	return where
}
