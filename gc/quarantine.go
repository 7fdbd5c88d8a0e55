package gc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// quarantined is the prefix of what was deleted and is kept for a while.
func quarantined(l layout.Layout) string { return l.Root + "/_quarantine/" }

// keep copies an object that is about to be deleted. The store moves the bytes.
func (c *collection) keep(ctx context.Context, o driver.Object) error {
	if c.options.Quarantine == 0 || o.Key == "" {
		return nil
	}
	to := quarantined(c.layout) + strings.TrimPrefix(o.Key, c.layout.Root+"/")
	_, err := driver.Concat(ctx, c.bucket, driver.ConcatRequest{Key: to, Sources: []driver.Object{o}}, c.features.CopyPlan())
	if errors.Is(err, driver.NotFound) {
		return nil // another collector was faster
	}
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}

// expire deletes what was in quarantine for long enough.
func (c *collection) expire(ctx context.Context) error {
	if c.options.Quarantine == 0 {
		return nil
	}
	before := c.features.Time().Add(-c.options.Quarantine)
	var old []driver.ObjectRef
	for e, err := range driver.List(ctx, c.bucket, driver.ListRequest{Prefix: quarantined(c.layout)}) {
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		if !e.ModTime.IsZero() && e.ModTime.Before(before) {
			old = append(old, driver.ObjectRef{Key: e.Key})
		}
	}
	if err := driver.DeleteAll(ctx, c.bucket, old); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}

// RestoreOptions tell what comes back. The zero value is all that is in quarantine.
type RestoreOptions struct {
	// Root is where the registry lies in the bucket; docker/registry/v2.
	Root string
	// Wait is Options.Wait.
	Wait time.Duration
	// Repository limits it to the links of one repository, and all blobs.
	Repository string
	// DryRun tells what would come back, and writes nothing.
	DryRun bool
	// OnObject is called with each object that comes back.
	OnObject func(Object)
}

// Restore copies back what collections with Options.Quarantine have deleted and nobody has written
// since, blobs before what refers to them, and returns how many objects that were. Manifests come
// back with their digests; their tags are gone.
func Restore(ctx context.Context, b driver.Bucket, o RestoreOptions) (n int64, err error) {
	if o.Root == "" {
		o.Root = layout.DefaultRoot
	}
	if o.Wait == 0 {
		o.Wait = tombstone.DefaultWait
	}
	l := layout.Layout{Root: o.Root}
	watch := tombstone.NewWatch(b, l, o.Wait, slog.Default())
	defer watch.Close()
	for e, err := range driver.List(ctx, b, driver.ListRequest{Prefix: quarantined(l)}) {
		if err != nil {
			return n, fmt.Errorf("quarantine: %w", err)
		}
		key := l.Root + "/" + strings.TrimPrefix(e.Key, quarantined(l))
		name, ok := l.Parse(key)
		if !ok || o.Repository != "" && name.Kind != layout.Blob && name.Repo != o.Repository {
			continue
		}
		back, err := restore(ctx, b, watch, key, name.Digest, e.Object, o.DryRun)
		if err != nil {
			return n, fmt.Errorf("restore %q: %w", key, err)
		}
		if !back {
			continue
		}
		n++
		if o.OnObject != nil {
			o.OnObject(Object{key, e.Size, e.ModTime, Restored})
		}
	}
	return n, nil
}

// restore copies one object back, unless there is one. It reports whether it did.
func restore(ctx context.Context, b driver.Bucket, watch *tombstone.Watch, key string, d digest.Digest, from driver.Object, dry bool) (bool, error) {
	if !dry {
		if _, err := watch.Clear(ctx, d); err != nil {
			return false, err
		}
	}
	_, err := b.Stat(ctx, key)
	switch {
	case err == nil:
		return false, nil
	case !errors.Is(err, driver.NotFound):
		return false, err
	case dry:
		return true, nil
	}
	_, err = driver.Concat(ctx, b, driver.ConcatRequest{Key: key, Sources: []driver.Object{from}}, b.Features().CopyPlan())
	return err == nil, err
}
