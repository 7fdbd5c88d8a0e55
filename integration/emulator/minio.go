package emulator

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"testing"
)

//go:embed minio.Dockerfile
var minioDockerfile string

// minioVersion is what minio/go.mod pins; a test compares them.
const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c"

const (
	minioUser   = "minioadmin"
	minioSecret = "minioadmin"
	minioKMSKey = "blobdock"
)

func minio() service {
	m := module{
		name:  "minio",
		path:  "github.com/minio/minio",
		flags: small,
	}
	return service{
		name:       "minio",
		title:      "MinIO",
		version:    minioVersion,
		build:      m.build,
		dockerfile: minioDockerfile,
		port:       9000,
		args: func(addr, dir string) []string {
			return []string{"server", "--quiet", "--address", addr, dir}
		},
		env: []string{
			"MINIO_ROOT_USER=" + minioUser,
			"MINIO_ROOT_PASSWORD=" + minioSecret,
			"MINIO_BROWSER=off",
			"MINIO_UPDATE=off",
			// Data that was deleted would take up its room for another five minutes.
			"MINIO_API_DELETE_CLEANUP_INTERVAL=5s",
			// Server-side encryption needs a key. It guards test data only; a
			// fixed one lets a restarted server read what it wrote.
			"MINIO_KMS_SECRET_KEY=" + minioKMSKey + ":YmxvYmRvY2sgdGVzdHM6IG5vdCBhIHNlY3JldCBrZXk=",
		},
		ready: func(ctx context.Context, endpoint string) error {
			return minioS3(endpoint, "").ping(ctx)
		},
	}
}

func minioS3(endpoint, way string) S3 {
	return S3{
		Endpoint:  endpoint,
		AccessKey: minioUser,
		SecretKey: minioSecret,
		Region:    "us-east-1",
		KMSKey:    minioKMSKey,
		Way:       way,
	}
}

// MinIO is a server that one test has to itself, so that it may stop it.
type MinIO struct {
	S3
	server *server
}

// NewMinIO starts a server for this test alone and removes it at its end. It
// ignores BLOBDOCK_S3_ENDPOINT, since that server isn't the test's to stop.
func NewMinIO(tb testing.TB) *MinIO {
	tb.Helper()
	s, err := startMinIO(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.close(); err != nil {
			tb.Errorf("remove MinIO: %v", err)
		}
	})
	return &MinIO{S3: minioS3(s.endpoint, s.way), server: s}
}

// Stop ends the server at once, as kill -9 would. Its data stays.
func (m *MinIO) Stop(tb testing.TB) {
	tb.Helper()
	if err := m.server.stop(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// Restart starts the server again, at the same endpoint and with the same
// data, and stops it first if it runs. It returns when the server is ready.
func (m *MinIO) Restart(tb testing.TB) {
	tb.Helper()
	m.Stop(tb)
	if err := m.server.start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func startMinIO(ctx context.Context) (*server, error) {
	ways, err := ways()
	if err != nil {
		return nil, err
	}
	return launch(ctx, minio(), ways)
}

// environmentS3 returns the server that the environment names.
func environmentS3(ctx context.Context) (s S3, ok bool, err error) {
	endpoint := os.Getenv("BLOBDOCK_S3_ENDPOINT")
	if endpoint == "" || os.Getenv(wayVar) != "" {
		return S3{}, false, nil
	}
	s = S3{
		Endpoint:  endpoint,
		AccessKey: getenv("BLOBDOCK_S3_ACCESS_KEY", minioUser),
		SecretKey: getenv("BLOBDOCK_S3_SECRET_KEY", minioSecret),
		Region:    getenv("BLOBDOCK_S3_REGION", "us-east-1"),
		KMSKey:    os.Getenv("BLOBDOCK_S3_KMS_KEY"),
		Way:       Environment,
	}
	if err := s.ping(ctx); err != nil {
		return S3{}, false, fmt.Errorf("BLOBDOCK_S3_ENDPOINT: %w; unset it to have a server started", err)
	}
	fmt.Fprintf(os.Stderr, "emulator: S3 at %s (%s)\n", s.Endpoint, Environment)
	return s, true, nil
}

func getenv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
