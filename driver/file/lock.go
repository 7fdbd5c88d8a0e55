package file

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/wait"
)

const (
	// stripes is the number of locks that all keys share.
	stripes = 192
	// firstStripe begins their names. Earlier versions had others before it, and
	// exclude this version's writers by these.
	firstStripe = 64
)

// maxPoll bounds the pause between two looks at a lock that another process has.
const maxPoll = 20 * time.Millisecond

// lockKeys keeps other writers away from keys until unlock is called. It takes locks
// in ascending order, so that no two callers wait for each other.
func (b *Bucket) lockKeys(ctx context.Context, keys ...string) (unlock func(), err error) {
	var ns []int
	for _, key := range keys {
		ns = append(ns, stripe(key))
	}
	slices.Sort(ns)
	var held []func()
	unlock = func() {
		for _, f := range slices.Backward(held) {
			f()
		}
	}
	for _, n := range slices.Compact(ns) {
		release, err := b.lockOne(ctx, n)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, release)
	}
	return unlock, nil
}

func stripe(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32() % stripes)
}

// lockOne queues within the process first, so that only one of its goroutines
// polls for the lock between processes.
func (b *Bucket) lockOne(ctx context.Context, n int) (release func(), err error) {
	select {
	case b.stripes[n] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := b.flock(ctx, b.path(fmt.Sprintf("%s/%02x", lockDir, firstStripe+n)))
	if err != nil {
		<-b.stripes[n]
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() {
		_ = f.Close() // which unlocks it
		<-b.stripes[n]
	}, nil
}

func (b *Bucket) flock(ctx context.Context, name string) (*os.File, error) {
	f, err := b.disk.openLock(name)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up the root
		if err := b.disk.mkdirAll(b.path(lockDir)); err != nil {
			return nil, err
		}
		f, err = b.disk.openLock(name)
	}
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, maxPoll) {
		got, err := b.disk.lock(f)
		if got {
			return f, nil
		}
		if err == nil {
			err = wait.For(ctx, pause)
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
	}
}

// holds checks c at key. The caller has the key's lock, or only wants to know
// early.
func (b *Bucket) holds(key string, c driver.Cond) error {
	if c.IsZero() {
		return nil
	}
	info, err := b.find(key)
	there := err == nil
	switch {
	case err != nil && !isAbsent(err):
		return err
	case c.IfAbsent && there:
		return driver.Exists
	case c.IfMatch != "" && !there:
		return fmt.Errorf("want ETag %s, there is no object: %w", c.IfMatch, driver.Mismatch)
	case c.IfMatch != "":
		return matches(info, c.IfMatch)
	}
	return nil
}
