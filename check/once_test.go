package check

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
)

// TestAnotherGaveUp has two callers wait for work that is done once, whose first caller gives
// up. The other gets its answer all the same.
func TestAnotherGaveUp(t *testing.T) {
	for name, work := range map[string]func(*run, context.Context, digest.Digest) error{
		"compareOnce": func(r *run, ctx context.Context, d digest.Digest) error { _, err := r.compareOnce(ctx, d); return err },
		"manifest":    func(r *run, ctx context.Context, d digest.Digest) error { _, err := r.manifest(ctx, d); return err },
	} {
		t.Run(name, func(t *testing.T) { anotherGivesUp(t, work) })
	}
}

func anotherGivesUp(t *testing.T, work func(*run, context.Context, digest.Digest) error) {
	content := []byte("content")
	d := digest.FromBytes(content)
	began := make(chan struct{})
	first, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpStat && first.Err() == nil {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}
		return next(ctx)
	})
	kept, err := lru.New[digest.Digest, *manifest](1)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{
		bucket: b, features: b.Features(), layout: layout.Layout{Root: layout.DefaultRoot}, slots: make(chan struct{}, 2), blobs: newIndex(), manifests: kept,
		options: Options{Progress: func(Progress) {}, OnFinding: func(Finding) {}}, summary: Summary{Found: make(map[Kind]int64)},
	}
	if _, err := b.Put(t.Context(), r.layout.Blob(d), io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	errs := [2]chan error{make(chan error, 1), make(chan error, 1)}
	go func() { errs[0] <- work(r, first, d) }()
	<-began
	go func() { errs[1] <- work(r, t.Context(), d) }()
	time.Sleep(20 * time.Millisecond) // for it to wait for the first
	cancel()
	if err := <-errs[0]; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller who gave up: %v", err)
	}
	if err := <-errs[1]; err != nil {
		t.Errorf("the other: %v", err)
	}
}
