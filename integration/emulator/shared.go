package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// The servers of this test process, one of a kind.
var (
	sharedS3    = pool[S3]{title: "MinIO", find: findS3}
	sharedGCS   = pool[GCS]{title: "fake-gcs-server", find: findGCS}
	sharedAzure = pool[Azure]{title: "Azurite", find: findAzure}
)

// Start returns the package's S3 server: the one that BLOBDOCK_S3_ENDPOINT names,
// else one that it starts. It fails the test when there is none to be had.
func Start(tb testing.TB) S3 {
	tb.Helper()
	return sharedS3.join(tb)
}

// StartGCS returns the package's GCS server: the one that BLOBDOCK_GCS_ENDPOINT
// names, else one that it starts. It fails the test when there is none to be had.
func StartGCS(tb testing.TB) GCS {
	tb.Helper()
	return sharedGCS.join(tb)
}

// StartAzure returns the package's blob service: the one that
// BLOBDOCK_AZURE_ENDPOINT names, else one that it starts. It fails the test when
// there is none to be had.
func StartAzure(tb testing.TB) Azure {
	tb.Helper()
	return sharedAzure.join(tb)
}

// Run runs a package's tests with one server of a kind for them all:
//
//	func TestMain(m *testing.M) { os.Exit(emulator.Run(m)) }
//
// Without it each top-level test that runs by itself starts its own.
func Run(m *testing.M) int {
	pools := []interface {
		enter()
		leave() error
	}{&sharedS3, &sharedGCS, &sharedAzure}
	for _, p := range pools {
		p.enter()
	}
	code := m.Run()
	var errs []error
	for _, p := range pools {
		errs = append(errs, p.leave())
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintf(os.Stderr, "emulator: %v\n", err)
		code = max(code, 1)
	}
	return code
}

// pool starts its server for the first test that asks and ends it when nobody
// uses it any more. S is how to reach the server.
type pool[S any] struct {
	title string
	// find returns no server where the environment named one.
	find func(context.Context) (S, *server, error)

	mu     sync.Mutex
	users  int // tests that run, and Run
	at     S
	server *server
	up     bool
	err    error // of the first start; a second try would fail as slowly
}

// join uses the server until the end of the test.
func (p *pool[S]) join(tb testing.TB) S {
	tb.Helper()
	p.enter()
	tb.Cleanup(func() {
		if err := p.leave(); err != nil {
			tb.Errorf("remove %s: %v", p.title, err)
		}
	})
	// The server outlives the test that starts it.
	s, err := p.get(context.WithoutCancel(tb.Context()))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func (p *pool[S]) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users++
}

func (p *pool[S]) leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users > 0 || p.server == nil {
		return nil
	}
	server := p.server
	p.server, p.up = nil, false
	return server.close()
}

func (p *pool[S]) get(ctx context.Context) (S, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up && p.err == nil {
		p.at, p.server, p.err = p.find(ctx)
		p.up = p.err == nil
	}
	return p.at, p.err
}

func findS3(ctx context.Context) (S3, *server, error) {
	return find(ctx, environmentS3, minio(), minioS3)
}

func findGCS(ctx context.Context) (GCS, *server, error) {
	return find(ctx, environmentGCS, fakeGCS(), fakeGCSAt)
}

func findAzure(ctx context.Context) (Azure, *server, error) {
	return find(ctx, environmentAzure, azurite(), azuriteAzure)
}

// find takes what the environment names, or else starts svc.
func find[S any](ctx context.Context, environment func(context.Context) (S, bool, error), svc service,
	at func(endpoint, way string) S) (none S, _ *server, _ error) {
	if s, ok, err := environment(ctx); ok || err != nil {
		return s, nil, err
	}
	ways, err := ways()
	if err != nil {
		return none, nil, err
	}
	s, err := launch(ctx, svc, ways)
	if err != nil {
		return none, nil, err
	}
	return at(s.endpoint, s.way), s, nil
}
