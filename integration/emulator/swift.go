package emulator

import (
	"context"
	"embed"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// swiftConfigs are of one server of each kind, all on the loopback, and what runs them.
//
//go:embed swift/*.conf swift/run.py
var swiftConfigs embed.FS

const (
	// Tempauth's user, which is the access key, and the user's key.
	swiftUser = "test:tester"
	swiftKey  = "testing"
)

func swiftS3(endpoint, way string) S3 {
	return S3{Endpoint: endpoint, AccessKey: swiftUser, SecretKey: swiftKey, Region: "us-east-1", Way: way}
}

// swift is OpenStack Swift with the middleware s3api.
func swift() service {
	d := debian{"swift", []string{"swift-proxy=2.30*", "swift-account=2.30*", "swift-container=2.30*", "swift-object=2.30*", "memcached"}}
	return service{
		name: "swift", title: "OpenStack Swift", version: "2.30",
		build: d.build,
		assemble: func(ctx context.Context, e *ensemble) error {
			e.env = d.environment(e.program.path)
			ports, err := e.portNumbers(4)
			if err != nil {
				return err
			}
			_, proxy, err := net.SplitHostPort(e.addr)
			if err != nil {
				return err
			}
			values := []string{"@DIR@", e.dir, "@PROXY@", proxy}
			for i, name := range []string{"@ACCOUNT@", "@CONTAINER@", "@OBJECT@", "@MEMCACHED@"} {
				values = append(values, name, strconv.Itoa(ports[i]))
			}
			if err := e.configure(swiftConfigs, "swift", strings.NewReplacer(values...)); err != nil {
				return err
			}
			if err := e.makeRings(ctx, ports); err != nil {
				return err
			}
			if err := e.daemon(e.program.path+"/usr/bin/memcached", "-u", "root", "-l", "127.0.0.1", "-p", strconv.Itoa(ports[3]), "-U", "0"); err != nil {
				return err
			}
			for _, kind := range []string{"account", "container", "object", "proxy"} {
				if err := e.daemon(python, e.path("etc/run.py"), e.path("etc"), e.program.path+"/usr/bin/swift-"+kind+"-server", e.path("etc/"+kind+"-server.conf")); err != nil {
					return err
				}
			}
			return nil
		},
		ready: listsBuckets(swiftS3),
	}
}

// python is Debian's, which its packages are for.
const python = "/usr/bin/python3"

// makeRings makes rings of one device, which is a folder.
func (e *ensemble) makeRings(ctx context.Context, ports []int) error {
	builder := e.program.path + "/usr/bin/swift-ring-builder"
	if err := e.write("node/disk/about", "the only device\n"); err != nil {
		return err
	}
	for i, kind := range []string{"account", "container", "object"} {
		ring := e.path("etc/" + kind + ".builder")
		for _, args := range [][]string{
			{"create", "4", "1", "1"},
			{"add", fmt.Sprintf("r1z1-127.0.0.1:%d/disk", ports[i]), "1"},
			{"rebalance"},
		} {
			if err := e.run(ctx, python, append([]string{builder, ring}, args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}
