package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/probe"
	blobdock "github.com/blobdock/blobdock/registry"
)

// checkTimeout bounds the look at the store before serving begins: some 30 requests, one
// after the other.
const checkTimeout = 30 * time.Second

// waitStep is the time between two looks at a store that is not up yet.
const waitStep = time.Second

// awaitStorage is checkStorage, repeated while the store can't be reached, for up to
// storage_wait: a registry and its store may be started together.
func awaitStorage(ctx context.Context, config *configuration.Configuration) error {
	if config.Storage.Type() != blobdock.Name {
		return nil
	}
	c, err := blobdock.ParseConfig(config.Storage.Parameters())
	if err != nil {
		return err
	}
	look := c
	if c.StorageWait > 0 {
		look.Options.Retry.Attempts = 1 // the repetition is here, and tells of itself
	}
	end := time.Now().Add(c.StorageWait)
	for waiting := false; ; waiting = true {
		err := checkStorage(ctx, look)
		left := time.Until(end)
		switch {
		case err == nil:
			return adapt(ctx, config, c)
		case !errors.Is(err, driver.Unavailable), left <= 0 && !waiting:
			return err
		case left <= 0:
			return fmt.Errorf("%w, for %v (storage_wait)", err, c.StorageWait)
		case !waiting:
			slog.WarnContext(ctx, "the store can't be reached yet: waiting for it", "storage", redact(c.URL), "storage_wait", c.StorageWait, "cause", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(waitStep, left)):
		}
	}
}

// checkStorage looks at the store once, so that a wrong bucket, key or endpoint shows
// at the start and not at the first push.
func checkStorage(ctx context.Context, c blobdock.Config) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	s, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := blobdock.NewDriver(s).Stat(ctx, "/"); err != nil {
		return fmt.Errorf("storage %s: %w", redact(c.URL), err)
	}
	return nil
}

// adapt finds out which kind of store there is, where the configuration does not say, and
// which conditions of writes it honours. What the store refuses or ignores is not asked of
// it: to rely on conditions costs a race between two writers more. The error is that of a
// directory on a file system that can't be written to as it must be.
func adapt(ctx context.Context, config *configuration.Configuration, c blobdock.Config) error {
	found, err := learn(ctx, config, c)
	switch {
	case errors.Is(err, file.ErrFileSystem):
		return fmt.Errorf("storage %s: %w", redact(c.URL), err)
	case err != nil:
		// A registry may be allowed to read only.
		slog.DebugContext(ctx, "not all is known of the store", "storage", redact(c.URL), "cause", err)
	}
	profile := found.Options["profile"]
	if profile != "" {
		slog.InfoContext(ctx, "the store is recognised by its replies", "storage", redact(c.URL), "profile", profile)
	}
	if len(found.Gaps) > 0 {
		remedy := "set another release of the store up, or another profile"
		if want := found.Options["conditions"]; want != "" && c.Takes("conditions") {
			remedy = "conditions=" + want + " is taken"
		}
		slog.WarnContext(ctx, "the store does not honour all conditional writes: of two clients that write to one upload at once, one may have to begin anew",
			"storage", redact(c.URL), "remedy", remedy, "profile", profile, "cause", fmt.Sprint(found.Gaps))
	}
	if found.NoPartCopy != nil {
		slog.WarnContext(ctx, "the store does not copy parts of uploads: the bytes of an upload by PATCH go through this process once more",
			"storage", redact(c.URL), "remedy", "part_copy=false is taken", "cause", found.NoPartCopy)
	}
	for name, value := range found.Options {
		if c.Takes(name) {
			config.Storage[blobdock.Name][name] = value
		}
	}
	return nil
}

// learn is probe.Adapt. A registry that is read-only writes nothing, and learns the profile alone.
func learn(ctx context.Context, config *configuration.Configuration, c blobdock.Config) (probe.Adaptation, error) {
	if !readOnly(config) {
		return probe.Adapt(ctx, opener(c))
	}
	b, options, err := probe.Open(ctx, opener(c))
	if b != nil {
		_ = b.Close()
	}
	return probe.Adaptation{Options: options}, err
}

// readOnly reports whether the registry, whose configuration is prepared, takes no pushes.
func readOnly(config *configuration.Configuration) bool {
	section, _ := config.Storage["maintenance"]["readonly"].(map[any]any)
	return section["enabled"] == true
}

// opener opens a configured store with further options.
func opener(c blobdock.Config) func(context.Context, driver.Overrides) (driver.Bucket, error) {
	return func(ctx context.Context, more driver.Overrides) (driver.Bucket, error) {
		s, err := c.WithOverrides(more).Open(ctx)
		if err != nil {
			return nil, err
		}
		return storeBucket{s.Bucket(), s}, nil
	}
}

// storeBucket closes the engine with the bucket.
type storeBucket struct {
	driver.Bucket
	store *blobstore.Store
}

func (b storeBucket) Close() error { return b.store.Close() }
