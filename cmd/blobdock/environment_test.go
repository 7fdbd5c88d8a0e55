package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// configured is the configuration that serve makes of a file, and of variables that are
// name=value.
func configured(t *testing.T, file string, env ...string) (*configuration.Configuration, error) {
	t.Helper()
	fresh(t)
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	cmd := serveCommand()
	return configure(cmd, serveFlags{redirect: "on", logLevel: "warn", listen: defaultListen}, []string{written(t, file)})
}

const minimal = "version: 0.1\nstorage:\n  blobdock: {url: \"mem://env\"}\n"

// TestNestedVariables sets what lies in a section of a section, with and without that section
// in the file.
func TestNestedVariables(t *testing.T) {
	with := minimal + "  maintenance:\n    uploadpurging: {enabled: true, age: 100h}\n    readonly: {enabled: false}\n    gc: {enabled: false}\n"
	for name, file := range map[string]string{"without the section": minimal, "with the section": with} {
		config, err := configured(t, file,
			"REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED=false",
			"REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED=true",
			"REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR=inmemory")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := config.Storage["maintenance"]["readonly"]; !cmp.Equal(got, map[any]any{"enabled": true}) {
			t.Errorf("%s: readonly is %#v, which distribution's registry does not understand", name, got)
		}
		sweep := config.Middleware["registry"][0].Options["sweep"].(map[string]any)
		if sweep["enabled"] != false {
			t.Errorf("%s: the sweeper is %v", name, sweep)
		}
		if (name == "with the section") != (sweep["age"] == "100h") {
			t.Errorf("%s: the sweeper's age is %v", name, sweep["age"])
		}
	}
}

// TestVariables overrides settings of each kind.
func TestVariables(t *testing.T) {
	file := minimal + `  tag: {concurrencylimit: 3}
http:
  addr: :1
  secret: 0123
  headers: {X-A: [a]}
middleware:
  repository: [{name: one, options: {a: {b: 1}}}]
`
	config, err := configured(t, file,
		"REGISTRY_LOG_LEVEL=debug",
		"REGISTRY_HTTP_ADDR=:2",
		"REGISTRY_HTTP_DRAINTIMEOUT=7s",
		"REGISTRY_HTTP_TLS_CLIENTCAS_0=/ca.pem",
		"REGISTRY_HTTP_TLS_CLIENTCAS_1=/other.pem",
		"REGISTRY_MIDDLEWARE_REPOSITORY_0_OPTIONS_A_B=2",
		"REGISTRY_MIDDLEWARE_REPOSITORY_1_NAME=two",
		"REGISTRY_PROXY_TTL=1h",
		"REGISTRY_PROXY_PASSWORD=#1: {x",
		"REGISTRY_REDIS_ADDRS=[a:1, b:2]",
		"REGISTRY_HEALTH_FILECHECKERS_0_FILE=/f",
		"REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH=/h",
		"REGISTRY_STORAGE_BLOBDOCK_MEMORYBUDGET=64MiB",
		"REGISTRY_VERSION=0.2", "REGISTRY_PORT=tcp://10.0.0.1:5000", "REGISTRY_PROXY_EXEC_NONE=x", // none
	)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"level": config.Log.Level, "addr": config.HTTP.Addr, "drain": config.HTTP.DrainTimeout, "cas": config.HTTP.TLS.ClientCAs,
		"options": config.Middleware["repository"][0].Options, "second": config.Middleware["repository"][1].Name,
		"ttl": *config.Proxy.TTL, "password": config.Proxy.Password, "exec": config.Proxy.Exec == nil,
		"redis": config.Redis.Options.Addrs, "health": config.Health.FileCheckers[0].File, "auth": config.Auth,
		"secret": config.HTTP.Secret, "headers": config.HTTP.Headers.Get("X-A"),
		"budget": config.Storage[blobdock.Name]["memorybudget"], "limit": config.Storage.TagParameters()["concurrencylimit"],
	}
	want := map[string]any{
		"level": configuration.Loglevel("debug"), "addr": ":2", "drain": 7 * time.Second, "cas": []string{"/ca.pem", "/other.pem"},
		"options": configuration.Parameters{"a": map[any]any{"b": 2}}, "second": "two",
		"ttl": time.Hour, "password": "#1: {x", "exec": true,
		"redis": []string{"a:1", "b:2"}, "health": "/f", "auth": configuration.Auth{"htpasswd": {"path": "/h"}},
		"secret": "0123", "headers": "a", "budget": "64MiB", "limit": 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := os.Getenv("REGISTRY_HTTP_ADDR"); got != ":2" {
		t.Errorf("the variable is %q afterwards", got)
	}
}

// TestVariableOfFile overrides a parameter of the file whose name has an underscore.
func TestVariableOfFile(t *testing.T) {
	config, err := configured(t, "version: 0.1\nstorage:\n  blobdock: {url: \"mem://env\", memory_budget: 32MiB}\n", "REGISTRY_STORAGE_BLOBDOCK_MEMORYBUDGET=64MiB")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := blobdock.ParseConfig(config.Storage.Parameters()); err != nil || c.Options.MemoryBudget != 64<<20 {
		t.Errorf("memory_budget is %d, %v", c.Options.MemoryBudget, err)
	}
}

// service are the variables that Kubernetes sets for a service.
func service(name string) []string {
	return []string{name + "_SERVICE_HOST=10.0.0.1", name + "_SERVICE_PORT=5000", name + "_SERVICE_PORT_HTTP=5000",
		name + "_PORT=tcp://10.0.0.1:5000", name + "_PORT_5000_TCP=tcp://10.0.0.1:5000", name + "_PORT_5000_TCP_PROTO=tcp",
		name + "_PORT_5000_TCP_PORT=5000", name + "_PORT_5000_TCP_ADDR=10.0.0.1"}
}

// TestWrongVariables starts with variables that can't be: one line each, which names the
// variable and not its value.
func TestWrongVariables(t *testing.T) {
	const auth = "auth: {htpasswd: {realm: r, path: /h}}\n"
	for name, tt := range map[string]struct {
		file string
		env  []string
		want string // the variable; "" is that it starts
		also string
	}{
		"another driver":                    {minimal, []string{"REGISTRY_STORAGE_S3_BUCKET=s3cr3t"}, "REGISTRY_STORAGE_S3_BUCKET", "storage.blobdock"},
		"another driver, in full":           {minimal, []string{"REGISTRY_STORAGE_S3={bucket: s3cr3t}"}, "REGISTRY_STORAGE_S3", "storage.blobdock"},
		"two drivers, none in file":         {"version: 0.1\n", []string{"REGISTRY_STORAGE_BLOBDOCK_URL=mem://x", "REGISTRY_STORAGE_S3_BUCKET=s3cr3t"}, "REGISTRY_STORAGE_S3_BUCKET", "storage.blobdock"},
		"a driver that is chosen":           {minimal, []string{"REGISTRY_STORAGE=inmemory", "REGISTRY_STORAGE_INMEMORY_X=1"}, "", ""},
		"a driver, none in the file":        {"version: 0.1\n", []string{"REGISTRY_STORAGE_BLOBDOCK_URL=mem://x"}, "", ""},
		"other authorization":               {minimal + auth, []string{"REGISTRY_AUTH_TOKEN_REALM=s3cr3t"}, "REGISTRY_AUTH_TOKEN_REALM", "auth.htpasswd"},
		"no boolean":                        {minimal, []string{"REGISTRY_PROXY_TTL=s3cr3t"}, "REGISTRY_PROXY_TTL", "a duration"},
		"no list":                           {minimal, []string{"REGISTRY_HTTP_TLS_CLIENTCAS=s3cr3t"}, "REGISTRY_HTTP_TLS_CLIENTCAS", "a list"},
		"no section":                        {minimal, []string{"REGISTRY_HTTP=s3cr3t"}, "REGISTRY_HTTP", "a section"},
		"no index":                          {minimal, []string{"REGISTRY_MIDDLEWARE_REGISTRY_X_NAME=s3cr3t"}, "REGISTRY_MIDDLEWARE_REGISTRY_X_NAME", "index"},
		"an index too far":                  {minimal, []string{"REGISTRY_NOTIFICATIONS_ENDPOINTS_2_NAME=s3cr3t"}, "REGISTRY_NOTIFICATIONS_ENDPOINTS_2_NAME", "from 0 to 0"},
		"a negative index":                  {minimal, []string{"REGISTRY_NOTIFICATIONS_ENDPOINTS_-1_NAME=s3cr3t"}, "REGISTRY_NOTIFICATIONS_ENDPOINTS_-1_NAME", "from 0 to 0"},
		"an item without a name":            {minimal, []string{"REGISTRY_NOTIFICATIONS_ENDPOINTS_0=s3cr3t"}, "REGISTRY_NOTIFICATIONS_ENDPOINTS_0", "a section"},
		"no level":                          {minimal, []string{"REGISTRY_LOG_LEVEL=s3cr3t"}, "REGISTRY_LOG_LEVEL", "debug"},
		"service registry":                  {minimal, service("REGISTRY"), "", ""},
		"service registry-http":             {minimal, service("REGISTRY_HTTP"), "", ""},
		"service registry-redis":            {minimal, service("REGISTRY_REDIS"), "", ""},
		"service registry-ui":               {minimal, service("REGISTRY_UI"), "", ""},
		"service registry-storage":          {minimal, service("REGISTRY_STORAGE"), "REGISTRY_STORAGE_PORT", "enableServiceLinks: false"},
		"service registry-auth":             {minimal, service("REGISTRY_AUTH"), "REGISTRY_AUTH_PORT", "enableServiceLinks: false"},
		"service registry-middleware":       {minimal, service("REGISTRY_MIDDLEWARE"), "REGISTRY_MIDDLEWARE_PORT", "enableServiceLinks: false"},
		"service registry-storage-blobdock": {minimal, service("REGISTRY_STORAGE_BLOBDOCK"), "REGISTRY_STORAGE_BLOBDOCK_PORT", "enableServiceLinks: false"},
		"service registry-storage-cache":    {minimal, service("REGISTRY_STORAGE_CACHE"), "REGISTRY_STORAGE_CACHE_PORT", "enableServiceLinks: false"},
		"service registry-http-headers":     {minimal, service("REGISTRY_HTTP_HEADERS"), "REGISTRY_HTTP_HEADERS_PORT", "enableServiceLinks: false"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := configured(t, tt.file, tt.env...)
			switch {
			case tt.want == "":
				if err != nil {
					t.Error(err)
				}
			case err == nil:
				t.Error("it starts")
			case !strings.Contains(err.Error(), "environment variable "+tt.want+":") || !strings.Contains(err.Error(), tt.also) ||
				strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "\n") || !errors.Is(err, driver.Invalid):
				t.Errorf("got %q, want it to name %s and %q", err, tt.want, tt.also)
			}
		})
	}
}

// TestIgnoredVariables tells of variables that name no setting in one line.
func TestIgnoredVariables(t *testing.T) {
	var log bytes.Buffer
	was := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(was) })
	if _, err := configured(t, minimal, append(service("REGISTRY"), "REGISTRY_HTTP_LISTEN=:1")...); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "REGISTRY_HTTP_LISTEN") || !strings.Contains(got, "REGISTRY_PORT_5000_TCP_ADDR") {
		t.Errorf("logged %q", got)
	}
}
