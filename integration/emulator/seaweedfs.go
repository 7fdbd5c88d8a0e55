package emulator

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// seaweedFSVersion is what seaweedfs/go.mod pins; a test compares them.
const seaweedFSVersion = "v0.0.0-20261109003541-7506e5f91cd6"

// seaweedFS runs master, volume server, filer and S3 gateway in one process. The
// ports of gRPC are told, too: otherwise they are ten thousand above the others,
// and so perhaps beyond what there is.
func seaweedFS() service {
	m := module{name: "seaweedfs", path: "github.com/seaweedfs/seaweedfs/weed", flags: cheap}
	return service{
		name: "seaweedfs", title: "SeaweedFS", version: seaweedFSVersion,
		build: m.build,
		assemble: func(_ context.Context, e *ensemble) error {
			_, port, err := net.SplitHostPort(e.addr)
			if err != nil {
				return err
			}
			if err := e.write("s3.json", fmt.Sprintf(`{"identities": [{"name": "tests", "credentials": [{"accessKey": %q, "secretKey": %q}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}`,
				minioUser, minioSecret)); err != nil {
				return err
			}
			// Each bucket takes volumes of its own, which take no room before they are written to.
			args := []string{
				"-logtostderr", "server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-dir", e.dir,
				"-master.volumeSizeLimitMB", "256", "-volume.max", "2000", "-filer", "-s3", "-s3.port", port, "-s3.config", e.path("s3.json"),
			}
			for _, name := range []string{"master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc"} {
				p, err := e.port()
				if err != nil {
					return err
				}
				args = append(args, "-"+name, strconv.Itoa(p.number))
			}
			return e.daemon(e.program.path, args...)
		},
		ready: listsBuckets(minioS3),
	}
}
