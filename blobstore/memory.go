package blobstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// budget bounds the bytes of all buffers in use in the process. Who must wait for one
// holds none meanwhile, so that nobody waits for one who waits.
type budget struct {
	total   int64
	turns   *turns
	used    atomic.Int64
	leaving atomic.Int64 // who is about to give a buffer back for one who waits
	pools   sync.Map     // buffer size -> *sync.Pool of *[]byte
}

func newBudget(total int64) *budget {
	return &budget{total: total, turns: newTurns(total)}
}

// DefaultMemoryWait is that of Options. Clients give up an upload that moves no byte
// for a few minutes.
const DefaultMemoryWait = time.Minute

const (
	// admittedWaits is how many times as long an upload waits that has bytes already. New
	// ones give up before that, so that those that were let in get on.
	admittedWaits = 4
	// holdings is into how many parts MemoryWait is divided: an upload that does not fill
	// its buffer in one of these gives it back when somebody has waited for as long.
	holdings = 4
)

// ErrBusy is returned to a request that has waited too long for a part buffer: more
// uploads than the memory budget has room for are under way, or slower ones than it
// was made for. The client tries again later.
var ErrBusy = errors.New("too many uploads are under way")

// buffer acquires a buffer of at least n bytes for what ctx is about. admitted tells
// that bytes of it are in the store already.
func (s *Store) buffer(ctx context.Context, n int64, admitted bool) (*buffer, error) {
	if hintFrom(ctx).http {
		limit := s.options.MemoryWait
		if admitted {
			limit *= admittedWaits
		}
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, limit, ErrBusy)
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
	c := clientOf(ctx)
	if b.turns.try(c, size) {
		return b.grant(c, size), nil
	}
	if err := b.turns.wait(ctx, c, size); err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, ErrBusy) {
			err = cause
		}
		return nil, fmt.Errorf("waiting for %d bytes of the memory budget: %w", size, err)
	}
	return b.grant(c, size), nil
}

// try is acquire for one who would rather do with less than wait.
func (b *budget) try(ctx context.Context, n int64) *buffer {
	c, size := clientOf(ctx), sizeClass(n)
	if !b.turns.try(c, size) {
		return nil
	}
	return b.grant(c, size)
}

// waiting is how many wait for a buffer.
func (b *budget) waiting() int64 { return b.turns.waiting.Load() }

// contended reports whether anybody does.
func (b *budget) contended() bool { return b.waiting() > 0 }

// leave tells whether one more is to give its buffer back, for one who has waited for
// longer than d. Who does so calls left then: not all leave for one.
func (b *budget) leave(d time.Duration) bool {
	if b.leaving.Add(1) <= b.turns.overdue(d) {
		return true
	}
	b.left()
	return false
}

func (b *budget) left() { b.leaving.Add(-1) }

func (b *budget) grant(c client, size int64) *buffer {
	b.used.Add(size)
	pool, _ := b.pools.LoadOrStore(size, new(sync.Pool))
	mem, _ := pool.(*sync.Pool).Get().(*[]byte)
	if mem == nil {
		fresh := make([]byte, size)
		mem = &fresh
	}
	buf := &buffer{owner: b, client: c, granted: time.Now(), mem: mem, freed: b.put}
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
	b.turns.release(buf.client, size)
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
	owner   *budget
	client  client
	granted time.Time
	mem     *[]byte
	n       int // bytes filled
	users   atomic.Int32
	freed   func(*buffer) // called when the last user is done
	flight  *flight       // that freed returns it to; nil for the budget itself
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
