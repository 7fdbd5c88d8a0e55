package file

import (
	"cmp"
	"context"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Delete removes the object at key, and the folders that it leaves empty.
func (b *Bucket) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	err := cmp.Or(b.begin(ctx, key), b.Features().Conds.CheckDelete(o, time.Now()))
	if err == nil {
		err = b.remove(ctx, key, o.IfVersion)
	}
	return fail(driver.OpDelete, key, err)
}

// remove deletes the file at key if it has the version; "" is any.
func (b *Bucket) remove(ctx context.Context, key, version string) error {
	if _, err := b.find(key); err != nil {
		if isAbsent(err) {
			b.prune(key) // a delete that was cut short may have left empty folders
		}
		return unlessAbsent(err)
	}
	if _, err := b.writable(key); err != nil {
		return err
	}
	unlock, err := b.lockKeys(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	info, err := b.find(key)
	if err != nil {
		return unlessAbsent(err)
	}
	if err := matches(info, version); err != nil {
		return err
	}
	if err := b.disk.remove(b.path(key)); err != nil {
		return unlessAbsent(err)
	}
	if err := b.syncFolders(b.prune(key), false); err != nil {
		return &done{err}
	}
	return nil
}

func unlessAbsent(err error) error {
	if isAbsent(err) {
		return nil
	}
	return err
}
