package file

import (
	"context"
	"time"
)

// LockKey takes the lock of key as a writer does.
func LockKey(b *Bucket, key string) (unlock func(), err error) {
	if _, err := b.writable(key); err != nil {
		return nil, err
	}
	return b.lockKeys(context.Background(), key)
}

// SetBack sets the clock back: modification times go on from what they have got to.
func SetBack(b *Bucket) { b.last.Store(time.Now().Add(time.Hour).UnixNano()) }

// Watch has before told of each call of the system. Its error is the call's.
func Watch(b *Bucket, before func(call, path string) error) { b.disk.before = before }
