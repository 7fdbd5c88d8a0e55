package registry

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver/mem"
)

// lines collects a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

// inTurn has three replicas on a bucket do something periodically for two days, and returns what
// they logged. first is called with one of them before.
func inTurn(t *testing.T, name string, interval time.Duration, first func(context.Context, *blobstore.Repository) error, do func(context.Context, *blobstore.Store) error) *lines {
	t.Helper()
	log := new(lines)
	synctest.Test(t, func(t *testing.T) {
		b := mem.New()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 3 {
			s, err := blobstore.New(b, blobstore.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				app, _ := reference.WithName("app")
				if err := first(ctx, s.Repository(app)); err != nil {
					t.Fatal(err)
				}
			}
			wg.Go(func() {
				periodically(ctx, s, name, interval, func(ctx context.Context) error { return do(ctx, s) })
			})
		}
		time.Sleep(48 * time.Hour)
		cancel()
		wg.Wait()
	})
	if log.count("WARN") > 0 {
		t.Errorf("log:\n%s", &log.buf)
	}
	return log
}

// TestReplicasSweepInTurn has one of three replicas sweep each hour.
func TestReplicasSweepInTurn(t *testing.T) {
	log := inTurn(t, "sweep", time.Hour, func(ctx context.Context, r *blobstore.Repository) error {
		_, err := r.Create(ctx)
		return err
	}, sweeping{age: time.Hour}.sweep)
	if got := log.count("sweep finished"); got < 44 || got > 48 {
		t.Errorf("%d sweeps in 48 hours, want one an hour", got)
	}
	if got := log.count("abandoned upload"); got != 1 {
		t.Errorf("%d abandoned uploads were found, want 1", got)
	}
}

// TestGarbageInTurn has one of three replicas collect garbage every six hours.
func TestGarbageInTurn(t *testing.T) {
	log := inTurn(t, "gc", 6*time.Hour, func(ctx context.Context, r *blobstore.Repository) error {
		_, err := r.Put(ctx, "", []byte("unused"))
		return err
	}, collecting{olderThan: 24 * time.Hour, limit: 10}.collect)
	if got := log.count("garbage collection finished"); got < 6 || got > 8 {
		t.Errorf("%d collections in 48 hours, want one in 6", got)
	}
	if got := log.count("fate=deleted"); got != 2 {
		t.Errorf("%d objects were deleted, want a blob and its link", got)
	}
}
