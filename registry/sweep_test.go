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

// TestReplicasSweepInTurn has three replicas on a bucket for a day. One of them
// sweeps each hour.
func TestReplicasSweepInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.New()
		log := new(lines)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 3 {
			s, err := blobstore.New(b, blobstore.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				name, _ := reference.WithName("app")
				if _, err := s.Repository(name).Create(ctx); err != nil {
					t.Fatal(err)
				}
			}
			wg.Go(func() {
				sweeping{enabled: true, age: time.Hour, interval: time.Hour}.run(ctx, s)
			})
		}
		time.Sleep(24 * time.Hour)
		cancel()
		wg.Wait()
		if got := log.count("sweep finished"); got < 22 || got > 24 {
			t.Errorf("%d sweeps in 24 hours, want one an hour", got)
		}
		if got := log.count("abandoned upload"); got != 1 {
			t.Errorf("%d abandoned uploads were found, want 1", got)
		}
		if log.count("WARN") > 0 {
			t.Errorf("log:\n%s", &log.buf)
		}
	})
}
