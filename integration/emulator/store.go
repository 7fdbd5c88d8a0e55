package emulator

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// makers are S3 servers that others make, with their own ideas of S3. Each is
// built from its pinned Go module or unpacked from Debian's packages, and runs
// natively. They are for [NewStore] alone: some take minutes to build.
var makers = []maker{
	{gofakes3, minioS3},
	{versitygw, minioS3},
	{rclone, minioS3},
	{seaweedFS, minioS3},
	{swift, swiftS3},
	{ceph, minioS3},
}

// maker is one of makers. s3 tells how to reach its server.
type maker struct {
	service func() service
	s3      func(endpoint, way string) S3
}

// Stores names the servers that [NewStore] starts.
func Stores() []string {
	names := make([]string, len(makers))
	for i, m := range makers {
		names[i] = m.service().name
	}
	return names
}

// NewStore starts the named server for this test alone and removes it at its
// end. It fails the test when the server can't be had.
func NewStore(tb testing.TB, name string) S3 {
	tb.Helper()
	i := slices.Index(Stores(), name)
	if i < 0 {
		tb.Fatalf("store %q: want one of %s", name, strings.Join(Stores(), ", "))
	}
	s, err := start(tb.Context(), makers[i].service(), Native)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	tb.Cleanup(func() {
		if err := s.close(); err != nil {
			tb.Errorf("remove %s: %v", name, err)
		}
	})
	return makers[i].s3(s.endpoint, Native)
}

// ProvisionStores makes ready all that [NewStore] starts, and reports it line
// by line to w.
func ProvisionStores(ctx context.Context, w io.Writer) error {
	for _, m := range makers {
		svc, began := m.service(), time.Now()
		bin, err := svc.build(ctx, platform{runtime.GOOS, runtime.GOARCH})
		if err != nil {
			return fmt.Errorf("%s: %w", svc.title, err)
		}
		fmt.Fprintf(w, "%s %s: %s (%s)\n", svc.title, svc.version, bin.path, time.Since(began).Round(10*time.Millisecond))
	}
	return nil
}

// listsBuckets is ready of a server that s3 reaches.
func listsBuckets(s3 func(endpoint, way string) S3) func(ctx context.Context, endpoint string) error {
	return func(ctx context.Context, endpoint string) error { return s3(endpoint, Native).ping(ctx) }
}

// small are flags of go build for programs of which nothing is to be debugged.
var small = []string{"-gcflags=all=-dwarf=false", "-ldflags=-s -w"}

// cheap are those for large programs: only what moves, hashes and checks bytes is
// optimized. The last pattern that matches a package counts.
var cheap = []string{
	"-gcflags=all=-N -l -dwarf=false",
	"-gcflags=std=-dwarf=false",
	"-gcflags=github.com/klauspost/...=-dwarf=false",
	"-ldflags=-s -w",
}
