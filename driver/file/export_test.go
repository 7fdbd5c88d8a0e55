package file

import "context"

// LockKey takes the lock of key as a writer does.
func LockKey(b *Bucket, key string) (unlock func(), err error) {
	r, err := b.begin(context.Background(), key)
	if err != nil {
		return nil, err
	}
	return b.lockKeys(context.Background(), r, key)
}
