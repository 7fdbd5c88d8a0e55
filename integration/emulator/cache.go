package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// cached returns <cache>/blobdock/emulators/<name>/<key>/<file>, made by build
// if it isn't there. Test packages run at once: a file lock lets one of them
// work while the others wait, and the file appears whole or not at all.
func cached(ctx context.Context, name, key, file string, build func(path string) error) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	dir := filepath.Join(root, "blobdock", "emulators", name, key)
	path := filepath.Join(dir, file)
	if exists(path) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another build of %s: %w", name, err)
	}
	defer unlock()
	if exists(path) {
		return path, nil
	}
	part := path + ".part"
	if err := build(part); err != nil {
		return "", errors.Join(err, ignoreAbsent(os.Remove(part)))
	}
	return path, os.Rename(part, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// lock holds the file's lock until the returned function is called, or its
// process ends. It polls, because a blocking lock can't be given up.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		ok, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if ok {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
