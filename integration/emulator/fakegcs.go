package emulator

import (
	"context"
	_ "embed"
	"net"
)

//go:embed fakegcs.Dockerfile
var fakeGCSDockerfile string

// fakeGCSVersion is what fakegcs/go.mod pins; a test compares them.
const fakeGCSVersion = "v1.56.1"

// fakeGCS keeps its data in memory: on disk an object can't lie below another,
// as in "d" and "d/e".
func fakeGCS() service {
	m := module{
		name:  "fakegcs",
		path:  "github.com/fsouza/fake-gcs-server",
		flags: small,
	}
	return service{
		name:       "fakegcs",
		title:      "fake-gcs-server",
		version:    fakeGCSVersion,
		build:      m.build,
		dockerfile: fakeGCSDockerfile,
		port:       4443,
		args: func(addr, _ string) []string {
			host, port, _ := net.SplitHostPort(addr)
			if host == "" {
				host = "0.0.0.0" // inside a container
			}
			return []string{"-backend", "memory", "-scheme", "http", "-host", host, "-port", port, "-log-level", "error"}
		},
		ready: func(ctx context.Context, endpoint string) error {
			return fakeGCSAt(endpoint, "").settle(ctx)
		},
	}
}

func fakeGCSAt(endpoint, way string) GCS { return GCS{Endpoint: endpoint, Way: way} }
