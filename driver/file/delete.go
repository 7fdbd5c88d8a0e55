package file

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Delete removes the object at key, and the folders that it leaves empty.
func (b *Bucket) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	r, err := b.begin(ctx, key)
	if err = cmp.Or(err, b.Features().Conds.CheckDelete(o, time.Now())); err != nil {
		return fail(driver.OpDelete, key, err)
	}
	return fail(driver.OpDelete, key, b.remove(ctx, r, key, o.IfVersion))
}

// remove deletes the file at key if it has the version; "" is any.
func (b *Bucket) remove(ctx context.Context, r *root, key, version string) error {
	if version != "" && r.coarse {
		return fmt.Errorf("the file system rounds times, versions can't be told apart: %w", driver.Unsupported)
	}
	if _, err := r.find(key); err != nil {
		return unlessAbsent(err)
	}
	unlock, err := b.lockKeys(ctx, r, key)
	if err != nil {
		return err
	}
	defer unlock()
	info, err := r.find(key)
	if err != nil {
		return unlessAbsent(err)
	}
	if err := matches(info, version); err != nil {
		return err
	}
	if err := r.Remove(key); err != nil {
		return unlessAbsent(err)
	}
	if err := b.syncFolders(r, key, false); err != nil {
		return &done{err}
	}
	r.prune(key)
	return nil
}

func unlessAbsent(err error) error {
	if isAbsent(err) {
		return nil
	}
	return err
}
