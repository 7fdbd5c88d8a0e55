package file

import "context"

// LockKey takes the lock of key as a writer does.
func LockKey(b *Bucket, key string) (unlock func(), err error) {
	if _, err := b.writable(key); err != nil {
		return nil, err
	}
	return b.lockKeys(context.Background(), key)
}

// Watch has before told of each call of the system. Its error is the call's.
func Watch(b *Bucket, before func(call, path string) error) { b.disk.before = before }
