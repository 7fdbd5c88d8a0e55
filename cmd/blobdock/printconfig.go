package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"go.yaml.in/yaml/v2"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// printConfig prints what applies, as a configuration without its secrets. The store
// is not asked.
func printConfig(ctx context.Context, out io.Writer, config *configuration.Configuration) error {
	tree, err := effective(ctx, config)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(tree)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	_, err = out.Write(text)
	return err
}

// effective is what applies, without its secrets. It leaves config fit for nothing else.
func effective(ctx context.Context, config *configuration.Configuration) (yaml.MapSlice, error) {
	fillIn(config)
	if config.Storage.Type() == blobdock.Name {
		if err := fillInOurs(ctx, config); err != nil {
			return nil, err
		}
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var tree yaml.MapSlice
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	clean, _ := redactTree("", tree).(yaml.MapSlice) // of which it makes nothing else
	return clean, nil
}

// fillInOurs replaces what the configuration says of the store and of the sweeper by
// what it comes to.
func fillInOurs(ctx context.Context, config *configuration.Configuration) error {
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		return err
	}
	settings, err := c.Settings(ctx)
	if err != nil {
		return err
	}
	u, err := driver.ParseURL(c.URL)
	if err != nil {
		return fmt.Errorf("storage blobdock: url: %w", driver.Invalid)
	}
	u.RawQuery = ""
	section := configuration.Parameters{"url": u.String()}
	for _, s := range settings {
		section[s.Name] = typed(s.Value)
	}
	config.Storage[blobdock.Name] = section
	for i, m := range config.Middleware["registry"] {
		if m.Name != blobdock.Name {
			continue
		}
		upkeep, err := blobdock.UpkeepSettings(m.Options)
		if err != nil {
			return err
		}
		options := make(configuration.Parameters)
		for name, settings := range upkeep {
			section := make(map[string]any, len(settings))
			for _, s := range settings {
				section[s.Name] = typed(s.Value)
			}
			options[name] = section
		}
		config.Middleware["registry"][i].Options = options
	}
	return nil
}

// typed is a setting's value as YAML has it: what would read back as another text
// stays one.
func typed(value string) any {
	if n, err := strconv.Atoi(value); err == nil && strconv.Itoa(n) == value {
		return n
	}
	if value == "true" || value == "false" {
		return value == "true"
	}
	return value
}

// What distribution takes where its configuration says nothing.
// https://distribution.github.io/distribution/about/configuration/
const (
	stockHealthInterval  = 10 * time.Second
	stockProxyTTL        = 7 * 24 * time.Hour
	stockCacheWrites     = 5 * time.Minute
	stockNotifyTimeout   = time.Second
	stockNotifyThreshold = 10
	stockNotifyBackoff   = time.Second
)

// fillIn writes distribution's defaults into config where it has none of its own.
func fillIn(config *configuration.Configuration) {
	or(&config.Log.Formatter, "text")
	or(&config.HTTP.Net, "tcp")
	if config.HTTP.Debug.Prometheus.Enabled {
		or(&config.HTTP.Debug.Prometheus.Path, "/metrics")
	}
	if config.Health.StorageDriver.Enabled {
		or(&config.Health.StorageDriver.Interval, stockHealthInterval)
	}
	for i := range config.Health.FileCheckers {
		or(&config.Health.FileCheckers[i].Interval, stockHealthInterval)
	}
	for i := range config.Health.HTTPCheckers {
		or(&config.Health.HTTPCheckers[i].Interval, stockHealthInterval)
		or(&config.Health.HTTPCheckers[i].StatusCode, http.StatusOK)
	}
	for i := range config.Health.TCPCheckers {
		or(&config.Health.TCPCheckers[i].Interval, stockHealthInterval)
	}
	for i := range config.Notifications.Endpoints {
		e := &config.Notifications.Endpoints[i]
		or(&e.Timeout, stockNotifyTimeout)
		or(&e.Threshold, stockNotifyThreshold)
		or(&e.Backoff, stockNotifyBackoff)
	}
	if config.Proxy.RemoteURL != "" {
		or(&config.Proxy.TTL, new(stockProxyTTL))
		or(&config.Proxy.CacheWriteTimeout, new(stockCacheWrites))
	}
}

// or gives v the default where it has no value.
func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
