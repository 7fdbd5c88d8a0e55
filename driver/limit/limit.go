// Package limit bounds the calls to a bucket that are under way at the same time, and
// how many begin in a second. When the store throttles one call it slows all of them
// down, so that a store which is short of breath is not asked the more the more
// callers there are. Throttling of one key (Error.KeyOnly) slows no other call, unless
// many keys are throttled at the same time: some stores answer too many requests of an
// account as they answer too many writes to a key.
//
// It belongs under package retry: each attempt is a call of its own, and who waits to
// try again holds no place. Callers get their turn in the order in which they came.
package limit

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/wait"
)

// Options are the bounds. Zero is none.
type Options struct {
	// Calls is how many may be under way. A call of Open is over when its reader is
	// there.
	Calls int
	// Rate is how many begin in a second, evenly.
	Rate float64
	// MaxRetryAfter is the longest wait that all calls stand still for when the store asks
	// for it: 30 s by default. A store that asks for more, such as the maintenance page of
	// a proxy for an hour, gets fewer calls at once, and none of them waits: the callers
	// are told Error.RetryAfter, and decide.
	MaxRetryAfter time.Duration
}

// DefaultMaxRetryAfter is what a MaxRetryAfter of 0 stands for.
const DefaultMaxRetryAfter = 30 * time.Second

// Wrap bounds the calls to b.
func Wrap(b driver.Bucket, o Options) driver.Bucket {
	l := &limiter{
		window: unbounded, most: unbounded, waiting: list.New(), keys: make(map[string]time.Time), turn: make(chan struct{}, 1),
		maxRetryAfter: cmp.Or(max(o.MaxRetryAfter, 0), DefaultMaxRetryAfter),
	}
	if o.Calls > 0 {
		l.window, l.most = float64(o.Calls), float64(o.Calls)
	}
	if o.Rate > 0 {
		l.every = time.Duration(float64(time.Second) / o.Rate)
	}
	return driver.Wrap(b, l.around)
}

const (
	// unbounded is a window that nobody ever fills.
	unbounded = 1 << 30
	// recovered is a window so large that a store which takes it has got over what
	// made it throttle.
	recovered = 1024
	// manyKeys that are throttled each by itself within keyMemory are no coincidence:
	// it is the account that is throttled.
	manyKeys  = 32
	keyMemory = time.Second
)

// limiter is additive increase and multiplicative decrease, as TCP does it: a call
// that is throttled halves the window of calls that may be under way, and each full
// window of calls that are not makes it larger by one.
type limiter struct {
	most          float64       // what the window never exceeds
	every         time.Duration // between the beginnings of two calls
	maxRetryAfter time.Duration
	turn          chan struct{} // held by the one that waits for next, where there is an every

	mu       sync.Mutex
	window   float64
	underway int
	waiting  *list.List           // of chan struct{}, closed when it is their turn
	shrunk   time.Time            // when the window was halved last
	keys     map[string]time.Time // that were throttled each by itself, and when
	quiet    time.Time            // until then the store asked not to be asked
	next     time.Time            // when the next call may begin; moved on by a call that begins
}

func (l *limiter) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	if c.Op == driver.OpSign {
		return next(ctx) // mostly no request at all
	}
	came := time.Now()
	if err := l.enter(ctx); err != nil {
		return driver.NewError(c.Op, c.Key, err)
	}
	err := l.pace(ctx)
	began := time.Now()
	wait.Queued(ctx, began.Sub(came))
	if err != nil {
		err = driver.NewError(c.Op, c.Key, err)
	} else {
		err = next(ctx)
	}
	l.leave(began, err)
	return err
}

// enter waits for a place in the window.
func (l *limiter) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.waiting.Len() == 0 && l.fits() {
		l.underway++
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	e := l.waiting.PushBack(turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-turn: // at the same moment
		l.underway--
		l.admit()
	default:
		l.waiting.Remove(e)
	}
	return ctx.Err()
}

// fits reports whether another call may begin. One always may.
func (l *limiter) fits() bool { return l.underway == 0 || float64(l.underway+1) <= l.window }

// admit lets those begin whose turn it is.
func (l *limiter) admit() {
	for e := l.waiting.Front(); e != nil && l.fits(); e = l.waiting.Front() {
		l.underway++
		close(l.waiting.Remove(e).(chan struct{}))
	}
}

// leave gives the place of a call back, and learns from how it went.
func (l *limiter) leave(began time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case errors.Is(err, driver.Throttled):
		var e *driver.Error
		if errors.As(err, &e) && e.KeyOnly {
			if !l.isOneOfMany(e.Key, now) {
				break
			}
		} else if e != nil && e.RetryAfter <= l.maxRetryAfter {
			l.quiet = later(l.quiet, now.Add(e.RetryAfter))
		}
		// Those that were under way when the window was halved tell nothing new.
		if began.After(l.shrunk) {
			l.window = max(1, float64(l.underway)/2)
			l.shrunk = now
		}
	case err == nil && l.window < l.most:
		if l.window += 1 / l.window; l.window >= min(l.most, recovered) {
			l.window = l.most
		}
	}
	l.underway--
	l.admit()
}

// isOneOfMany notes that key was throttled by itself, and reports whether too many others
// were, too.
func (l *limiter) isOneOfMany(key string, now time.Time) bool {
	maps.DeleteFunc(l.keys, func(_ string, at time.Time) bool { return now.Sub(at) > keyMemory })
	l.keys[key] = now
	return len(l.keys) >= manyKeys
}

// pace waits until the call may begin. With a rate, callers wait one behind the
// other and only the first for a time, so that a caller which gives up leaves no gap.
func (l *limiter) pace(ctx context.Context) error {
	if l.every > 0 {
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-l.turn }()
	}
	for {
		pause := l.begin()
		if pause <= 0 {
			return nil
		}
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
	}
}

// begin lets a call begin, or returns how long it has to wait.
func (l *limiter) begin() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	pause := later(l.quiet, l.next).Sub(now)
	if pause <= 0 && l.every > 0 {
		l.next = now.Add(l.every)
	}
	return pause
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
