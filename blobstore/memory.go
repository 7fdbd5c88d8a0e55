package blobstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/blobdock/blobdock/driver"
)

// budget bounds the bytes of all buffers in use in the process. Buffers are
// granted in the order of asking; who must wait holds none meanwhile, so that
// nobody waits for one who waits.
type budget struct {
	total   int64
	sem     *semaphore.Weighted
	waiting atomic.Int64 // callers inside acquire that had to queue
	used    atomic.Int64
	pools   sync.Map // buffer size -> *sync.Pool of *[]byte
}

func newBudget(total int64) *budget {
	return &budget{total: total, sem: semaphore.NewWeighted(total)}
}

// DefaultMemoryWait is that of Options. Clients give up an upload that moves no byte
// for a few minutes.
const DefaultMemoryWait = time.Minute

// ErrBusy is returned to a request that has waited too long for a part buffer: more
// uploads than the memory budget has room for are under way, or slower ones than it
// was made for. The client tries again later.
var ErrBusy = errors.New("too many uploads are under way")

// buffer acquires a buffer of at least n bytes for what ctx is about.
func (s *Store) buffer(ctx context.Context, n int64) (*buffer, error) {
	if hintFrom(ctx).http {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, s.options.MemoryWait, ErrBusy)
		defer stop()
	}
	return s.budget.acquire(ctx, n)
}

// acquire waits for a buffer of at least n bytes.
func (b *budget) acquire(ctx context.Context, n int64) (*buffer, error) {
	size := sizeClass(n)
	if size > b.total {
		return nil, fmt.Errorf("a buffer of %d bytes exceeds the memory budget of %d: %w", size, b.total, driver.Invalid)
	}
	if !b.sem.TryAcquire(size) {
		b.waiting.Add(1)
		err := b.sem.Acquire(ctx, size)
		b.waiting.Add(-1)
		if err != nil {
			if cause := context.Cause(ctx); errors.Is(cause, ErrBusy) {
				err = cause
			}
			return nil, fmt.Errorf("waiting for %d bytes of the memory budget: %w", size, err)
		}
	}
	return b.grant(size), nil
}

// try is acquire for one who would rather do with less than wait.
func (b *budget) try(n int64) *buffer {
	size := sizeClass(n)
	if size > b.total || !b.sem.TryAcquire(size) {
		return nil
	}
	return b.grant(size)
}

// contended reports whether somebody waits for a first buffer.
func (b *budget) contended() bool { return b.waiting.Load() > 0 }

func (b *budget) grant(size int64) *buffer {
	b.used.Add(size)
	pool, _ := b.pools.LoadOrStore(size, new(sync.Pool))
	mem, _ := pool.(*sync.Pool).Get().(*[]byte)
	if mem == nil {
		fresh := make([]byte, size)
		mem = &fresh
	}
	buf := &buffer{owner: b, mem: mem, freed: b.put}
	buf.use()
	return buf
}

func (b *budget) put(buf *buffer) {
	size := int64(len(*buf.mem))
	if pool, ok := b.pools.Load(size); ok {
		pool.(*sync.Pool).Put(buf.mem)
	}
	buf.mem = nil
	b.used.Add(-size)
	b.sem.Release(size)
}

// sizeClass rounds up so that buffers can be used again: to a power of two
// below 1 MiB, to a whole MiB above.
func sizeClass(n int64) int64 {
	const least, fine = 16 << 10, 1 << 20
	if n > fine {
		return (n + fine - 1) / fine * fine
	}
	size := int64(least)
	for size < n {
		size *= 2
	}
	return size
}

// buffer is a part in the making. It is filled by one goroutine, which is its
// first user; once full, a part upload takes that place, and the hash reads it
// at the same time. Whoever is done last hands it on.
type buffer struct {
	owner  *budget
	mem    *[]byte
	n      int // bytes filled
	users  atomic.Int32
	freed  func(*buffer) // called when the last user is done
	flight *flight       // that freed returns it to; nil for the budget itself
}

func (b *buffer) size() int     { return len(*b.mem) }
func (b *buffer) bytes() []byte { return (*b.mem)[:b.n] }
func (b *buffer) room() []byte  { return (*b.mem)[b.n:] }

func (b *buffer) use() { b.users.Add(1) }

func (b *buffer) done() {
	if b.users.Add(-1) == 0 {
		b.freed(b)
	}
}
