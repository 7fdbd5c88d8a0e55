package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is the one S3 server of this test process.
var shared pool

// pool starts its server for the first test that asks and ends it when nobody
// uses it any more.
type pool struct {
	mu     sync.Mutex
	users  int // tests that run, and Run
	s3     S3
	server *server // nil if the environment named one
	up     bool
	err    error // of the first start; a second try would fail as slowly
}

// Run runs a package's tests with one server for them all:
//
//	func TestMain(m *testing.M) { os.Exit(emulator.Run(m)) }
//
// Without it each top-level test that runs by itself starts its own.
func Run(m *testing.M) int {
	shared.enter()
	sharedAzure.enter()
	sharedGCS.enter()
	code := m.Run()
	if err := errors.Join(shared.leave(), sharedAzure.leave(), sharedGCS.leave()); err != nil {
		fmt.Fprintf(os.Stderr, "emulator: %v\n", err)
		code = max(code, 1)
	}
	return code
}

// Start returns the package's S3 server: the one the environment names, else
// one that it starts. It fails the test when there is none to be had.
func Start(tb testing.TB) S3 {
	tb.Helper()
	shared.enter()
	tb.Cleanup(func() {
		if err := shared.leave(); err != nil {
			tb.Errorf("remove MinIO: %v", err)
		}
	})
	// The server outlives the test that starts it.
	s, err := shared.get(context.WithoutCancel(tb.Context()))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func (p *pool) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users++
}

func (p *pool) leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users > 0 || p.server == nil {
		return nil
	}
	server := p.server
	p.server, p.up = nil, false
	return server.close()
}

func (p *pool) get(ctx context.Context) (S3, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up && p.err == nil {
		p.s3, p.server, p.err = findS3(ctx)
		p.up = p.err == nil
	}
	return p.s3, p.err
}

func findS3(ctx context.Context) (S3, *server, error) {
	if s, ok, err := environmentS3(ctx); ok || err != nil {
		return s, nil, err
	}
	server, err := startMinIO(ctx)
	if err != nil {
		return S3{}, nil, err
	}
	return minioS3(server.endpoint, server.way), server, nil
}
