package emulator

import (
	"context"
	"embed"
	"fmt"
	"os"
	"strings"
)

//go:embed ceph/ceph.conf
var cephConfig embed.FS

// ceph is one monitor, one OSD whose device is a sparse file, and one RADOS
// gateway. They trust each other without keys.
func ceph() service {
	d := debian{"ceph", []string{"radosgw=16.2.15*", "ceph-mon=16.2.15*", "ceph-osd=16.2.15*", "ceph-mgr=16.2.15*"}}
	return service{
		name: "ceph", title: "Ceph RGW", version: "16.2.15",
		build: d.build,
		assemble: func(ctx context.Context, e *ensemble) error {
			e.env = d.environment(e.program.path)
			mon, err := e.port()
			if err != nil {
				return err
			}
			for _, name := range []string{"run", "log", "crash", "mon", "osd", "rgw"} {
				if err := os.MkdirAll(e.path(name), 0o755); err != nil {
					return err
				}
			}
			values := strings.NewReplacer("@DIR@", e.dir, "@ROOT@", e.program.path, "@MON@", fmt.Sprint(mon.number), "@RGW@", e.addr)
			if err := e.configure(cephConfig, "ceph", values); err != nil {
				return err
			}
			return e.startCeph(ctx, mon.addr())
		},
		ready: listsBuckets(minioS3),
	}
}

const cephFSID = "5a1d6f3e-7c1b-4a4e-9d53-000000000008"

func (e *ensemble) startCeph(ctx context.Context, mon string) error {
	bin := e.program.path + "/usr/bin/"
	// Each takes its time on a busy machine, and waits for those before it.
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	run := func(name string, args ...string) error {
		return e.run(ctx, bin+name, append([]string{"-c", e.path("etc/ceph.conf")}, args...)...)
	}
	daemon := func(name string, args ...string) error {
		return e.daemon(bin+name, append([]string{"-f", "-c", e.path("etc/ceph.conf")}, args...)...)
	}
	if err := e.run(ctx, bin+"monmaptool", "--create", "--fsid", cephFSID, "--addv", "a", "[v2:"+mon+"]", e.path("monmap")); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return run("ceph-mon", "--mkfs", "-i", "a", "--monmap", e.path("monmap")) },
		func() error { return daemon("ceph-mon", "-i", "a") },
		func() error {
			return e.run(ctx, python, bin+"ceph", "-c", e.path("etc/ceph.conf"), "osd", "create")
		},
		func() error { return run("ceph-osd", "-i", "0", "--mkfs") },
		func() error { return daemon("ceph-osd", "-i", "0") },
		func() error {
			return run("radosgw-admin", "user", "create", "--uid", "tests", "--display-name", "tests", "--access-key", minioUser, "--secret-key", minioSecret)
		},
		func() error { return daemon("radosgw", "-n", "client.rgw") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
