package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// drainTimeout is how long a stop waits for requests, where the configuration
// does not say.
const drainTimeout = 30 * time.Second

// configure makes the configuration from a file or the flags.
func configure(cmd *cobra.Command, f serveFlags, args []string) (*configuration.Configuration, error) {
	if f.redirect != "on" && f.redirect != "off" {
		return nil, fmt.Errorf("--redirect %q: want on or off", f.redirect)
	}
	if levels := []string{"error", "warn", "info", "debug"}; !slices.Contains(levels, f.logLevel) {
		return nil, fmt.Errorf("--log-level %q: want error, warn, info or debug", f.logLevel)
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return nil, fmt.Errorf("--listen %q: want host:port, such as 127.0.0.1:5000", f.listen)
	}
	config, path, err := read(args)
	if err != nil {
		return nil, err
	}
	given := cmd.Flags().Changed
	if given("storage") {
		config.Storage = configuration.Storage{
			blobdock.Name: {"url": f.storage},
			"delete":      {"enabled": true},
		}
	}
	if given("listen") {
		config.HTTP.Addr = f.listen
	}
	if given("redirect") {
		config.Storage["redirect"] = configuration.Parameters{"disable": f.redirect == "off"}
	}
	if given("gc") {
		maintenance := config.Storage["maintenance"]
		if maintenance == nil {
			maintenance = make(configuration.Parameters)
			config.Storage["maintenance"] = maintenance
		}
		gc, _ := maintenance["gc"].(map[any]any)
		if gc == nil {
			gc = make(map[any]any)
		}
		gc["enabled"] = f.gc
		maintenance["gc"] = gc
	}
	if given("log-level") || path == "" {
		config.Log.Level = configuration.Loglevel(f.logLevel)
		config.Log.AccessLog.Disabled = f.logLevel != "info" && f.logLevel != "debug"
	}
	if config.HTTP.Secret == "" && path == "" {
		// One process needs no secret that others know. Replicas behind one address
		// do: they have a configuration file.
		config.HTTP.Secret = rand.Text()
	}
	if config.HTTP.DrainTimeout == 0 {
		config.HTTP.DrainTimeout = drainTimeout
	}
	return config, blobdock.Prepare(config)
}

// standalone is the configuration without a file.
const standalone = `
version: 0.1
storage:
  blobdock:
    url: ` + defaultStorage + `
  delete:
    enabled: true
http:
  addr: ` + defaultListen + `
health:
  storagedriver:
    enabled: true
`

// read reads the configuration, REGISTRY_* overrides included, from the file
// that is named by the arguments or REGISTRY_CONFIGURATION_PATH, if any is.
func read(args []string) (config *configuration.Configuration, path string, err error) {
	path = os.Getenv("REGISTRY_CONFIGURATION_PATH")
	if len(args) > 0 {
		path = args[0]
	}
	in, name := io.Reader(strings.NewReader(standalone)), "defaults"
	if path != "" {
		file, err := os.Open(path)
		if err != nil {
			return nil, "", err
		}
		defer file.Close()
		in, name = file, path
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	config, ignored, err := parse(text)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	if len(ignored) > 0 {
		slog.Warn("environment variables that name no setting are ignored", "variables", strings.Join(ignored, ", "))
	}
	return config, path, nil
}

func redact(rawURL string) string { return driver.RedactURL(rawURL) }
