package registry_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/registry"
)

func TestPrepare(t *testing.T) {
	const storage = "version: 0.1\nstorage:\n  blobdock: {url: mem://prepared}\n"
	other := configuration.Middleware{Name: "other"}
	ours := func(sweep map[string]any) configuration.Middleware {
		return configuration.Middleware{Name: "blobdock", Options: configuration.Parameters{"sweep": sweep}}
	}
	for _, tt := range []struct {
		name, config string
		middleware   []configuration.Middleware
		storage      map[string]any // blobdock's section
		purging      any            // what is left of the purger's section
	}{
		{"nothing else", storage, []configuration.Middleware{ours(map[string]any{"enabled": true})},
			map[string]any{"url": "mem://prepared"}, map[any]any{"enabled": false}},
		{"other middleware", storage + "middleware:\n  registry:\n    - name: other\n", []configuration.Middleware{ours(map[string]any{"enabled": true}), other},
			map[string]any{"url": "mem://prepared"}, map[any]any{"enabled": false}},
		{"purging and redirects", storage + "  redirect: {disable: true}\n  maintenance: {uploadpurging: {enabled: false, age: 1h}}\n",
			[]configuration.Middleware{ours(map[string]any{"enabled": false, "age": "1h"})},
			map[string]any{"url": "mem://prepared", "redirect": false}, map[any]any{"enabled": false}},
		{"middleware by hand", storage + "  maintenance: {uploadpurging: {age: 1h}}\nmiddleware:\n  registry:\n    - name: other\n    - name: blobdock\n",
			[]configuration.Middleware{other, ours(map[string]any{"enabled": true, "age": "1h"})},
			map[string]any{"url": "mem://prepared"}, map[any]any{"enabled": false}},
		{"sweeper by hand", storage + "middleware:\n  registry:\n    - name: blobdock\n      options: {sweep: {enabled: false}}\n",
			[]configuration.Middleware{{Name: "blobdock", Options: configuration.Parameters{"sweep": map[any]any{"enabled": false}}}},
			map[string]any{"url": "mem://prepared"}, map[any]any{"enabled": false}},
		{"no settings of the storage", "version: 0.1\nstorage:\n  blobdock:\n  redirect: {disable: true}\n", []configuration.Middleware{ours(map[string]any{"enabled": true})},
			map[string]any{"redirect": false}, map[any]any{"enabled": false}},
		{"another storage driver", "version: 0.1\nstorage:\n  filesystem: {rootdirectory: /nowhere}\n", nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, err := configuration.Parse(strings.NewReader(tt.config))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time nothing is left to do
				if err := registry.Prepare(config); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.middleware, config.Middleware["registry"]); diff != "" {
				t.Errorf("middleware, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.storage, map[string]any(config.Storage["blobdock"])); diff != "" {
				t.Errorf("storage, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.purging, config.Storage["maintenance"]["uploadpurging"]); diff != "" {
				t.Errorf("uploadpurging, -want +got:\n%s", diff)
			}
		})
	}
}

// TestPrepareEnvironment switches the purger off and makes the registry read-only by the
// environment, where neither section is in the file.
func TestPrepareEnvironment(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED", "false")
	t.Setenv("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true")
	config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage:\n  blobdock: {url: mem://prepared}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Prepare(config); err != nil {
		t.Fatal(err)
	}
	if got := config.Storage["maintenance"]["readonly"]; !cmp.Equal(got, map[any]any{"enabled": true}) {
		t.Errorf("readonly is %#v, upon which distribution's registry panics", got)
	}
	want := []configuration.Middleware{{Name: "blobdock", Options: configuration.Parameters{"sweep": map[string]any{"enabled": false}}}}
	if diff := cmp.Diff(want, config.Middleware["registry"]); diff != "" {
		t.Errorf("middleware, -want +got:\n%s", diff)
	}
}

// TestPrepareInvalid has values where sections should be.
func TestPrepareInvalid(t *testing.T) {
	for _, purging := range []string{"", "off", "1h", "[enabled]"} {
		config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage:\n  blobdock: {url: mem://prepared}\n  maintenance:\n    uploadpurging: " + purging))
		if err != nil {
			t.Fatal(err)
		}
		if err := registry.Prepare(config); !errors.Is(err, driver.Invalid) {
			t.Errorf("uploadpurging: %q: %v, want Invalid", purging, err)
		}
	}
}

// TestUnprepared warns of a storage driver without its middleware, and only of that.
func TestUnprepared(t *testing.T) {
	var out bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
	for _, tt := range []struct {
		name   string
		change func(*configuration.Configuration)
		warns  bool
	}{
		{"prepared", func(*configuration.Configuration) {}, false},
		{"no middleware", func(c *configuration.Configuration) { c.Middleware = nil }, true},
		{"another storage driver", func(c *configuration.Configuration) {
			c.Middleware, c.Storage = nil, configuration.Storage{"inmemory": nil}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out.Reset()
			config := configurationOf(t, mem.New(), "")
			tt.change(config)
			registry.Handler(config, http.NotFoundHandler())
			if got := strings.Contains(out.String(), "without its middleware"); got != tt.warns {
				t.Errorf("warns: %v, want %v: %q", got, tt.warns, out.String())
			}
		})
	}
}
