// Package fault makes a bucket fail by a script: which call, where in the call,
// and how. It is deterministic, and meant for tests.
//
//	b = fault.Wrap(b, fault.Script{
//		{Op: driver.OpPut, Key: "blobs/*", Nth: 2, Where: fault.After},
//	})
//
// lets the second Put below blobs/ be carried out, and loses the answer.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/internal/wait"
)

// Where is the moment in a call at which it fails.
type Where uint8

const (
	Before  Where = iota // nothing reaches the store
	After                // the store carries the call out, and the answer is lost
	MidBody              // the body breaks at Rule.Offset
)

func (w Where) String() string { return [...]string{"before", "after", "mid-body"}[w] }

// Script is a list of rules. The first that fits a call applies to it; all that
// fit count it.
type Script []Rule

// Rule makes calls fail. A rule that says neither Kind nor Err nor Truncate but
// Delay slows the call down and lets it pass.
type Rule struct {
	Op  driver.Op // "" is any
	Key string    // "*" stands for any bytes, "/" included; "" is any key
	Nth int       // of the calls that fit, from 1; 0 is each of them
	// Where it fails. MidBody fits only calls that have a body: Put, PutPart and
	// Open. A body that is shorter breaks at its last byte, an empty one at once.
	Where  Where
	Offset int64 // of the body, for MidBody

	Kind driver.Kind // of the error; Unknown is Unavailable
	Err  error       // its cause; ErrInjected by default
	// Delay is how long the call stands still, at most as long as its context lasts:
	// before it is made, or with After, when it was carried out.
	Delay time.Duration
	// Truncate, for MidBody, ends the body at Offset as though it were complete: a
	// store that keeps or delivers less than it should, and says nothing.
	Truncate bool
}

// ErrInjected is the cause of errors that no rule gave another.
var ErrInjected = errors.New("injected fault")

// Wrap makes b fail by the script. Counting begins anew with each Wrap.
func Wrap(b driver.Bucket, s Script) driver.Bucket {
	return driver.Wrap(b, (&player{script: s, seen: make([]int, len(s))}).around)
}

// player keeps count of the calls that fit each rule.
type player struct {
	script Script
	mu     sync.Mutex
	seen   []int
}

// rule is the one that applies to c, or nil.
func (p *player) rule(c *driver.Call) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found *Rule
	for i := range p.script {
		r := &p.script[i]
		if !r.fits(c) {
			continue
		}
		p.seen[i]++
		if found == nil && (r.Nth == 0 || r.Nth == p.seen[i]) {
			found = r
		}
	}
	return found
}

func (r *Rule) fits(c *driver.Call) bool {
	if r.Op != "" && r.Op != c.Op || r.Key != "" && !glob(r.Key, c.Key) {
		return false
	}
	return r.Where != MidBody || c.Body != nil || c.Op == driver.OpOpen
}

// glob reports whether pattern, in which "*" stands for any bytes, fits all of s.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	s, ok := strings.CutPrefix(s, first)
	if !ok || !star {
		return ok && s == ""
	}
	for i := 0; i <= len(s); i++ {
		if glob(rest, s[i:]) {
			return true
		}
	}
	return false
}

func (p *player) around(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	r := p.rule(c)
	if r == nil {
		return next(ctx)
	}
	if r.Where == After {
		if err := next(ctx); err != nil {
			return err
		}
		if err := r.delay(ctx, c); err != nil || r.onlySlow() {
			return err
		}
		return r.error(c, c.Op.Changes())
	}
	if err := r.delay(ctx, c); err != nil {
		return err
	}
	switch {
	case r.onlySlow():
		return next(ctx)
	case r.Where == MidBody && c.Body != nil:
		return r.sent(ctx, c, next)
	case r.Where == MidBody:
		return r.received(ctx, c, next)
	default:
		return r.error(c, false)
	}
}

// onlySlow tells that the call is delayed and then succeeds.
func (r *Rule) onlySlow() bool {
	return r.Kind == driver.Unknown && r.Err == nil && !r.Truncate && r.Delay > 0
}

func (r *Rule) delay(ctx context.Context, c *driver.Call) error {
	if r.Delay <= 0 {
		return nil
	}
	err := wait.For(ctx, r.Delay)
	if err == nil {
		return nil
	}
	e := driver.NewError(c.Op, c.Key, err)
	e.OutcomeUnknown = r.Where == After && c.Op.Changes()
	return e
}

func (r *Rule) error(c *driver.Call, outcomeUnknown bool) error {
	e := &driver.Error{Op: c.Op, Key: c.Key, Kind: r.Kind, OutcomeUnknown: outcomeUnknown, Err: r.Err}
	if e.Kind == driver.Unknown {
		e.Kind = driver.Unavailable
	}
	if e.Err == nil {
		e.Err = fmt.Errorf("%w %s", ErrInjected, r.Where)
	}
	return e
}

// sent breaks the body on its way to the store.
func (r *Rule) sent(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	size := c.Body.Size()
	at := min(r.Offset, max(size-1, 0))
	if r.Truncate {
		c.Body = io.NewSectionReader(c.Body, 0, at)
		return next(ctx)
	}
	broken := r.error(c, false)
	if size == 0 {
		return broken
	}
	whole := c.Body
	c.Body = io.NewSectionReader(brokenReaderAt{whole, at, broken}, 0, size)
	defer func() { c.Body = whole }()
	if err := next(ctx); err == nil {
		return fmt.Errorf("a body that breaks at byte %d was stored all the same: %w", at, broken)
	}
	return broken
}

// brokenReaderAt delivers what is before an offset, and then an error.
type brokenReaderAt struct {
	r   io.ReaderAt
	at  int64
	err error
}

func (b brokenReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= b.at {
		return b.r.ReadAt(p, off)
	}
	n, err := b.r.ReadAt(p[:max(b.at-off, 0)], off)
	if err == nil || err == io.EOF {
		err = b.err
	}
	return n, err
}

// received breaks the body on its way from the store.
func (r *Rule) received(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	if err := next(ctx); err != nil {
		return err
	}
	end := r.error(c, false)
	if r.Truncate {
		end = io.EOF
	}
	rd := *c.Reader
	at := min(r.Offset, max(rd.Range.Len-1, 0))
	rd.ReadCloser = &brokenReader{ReadCloser: rd.ReadCloser, left: at, end: end}
	c.Reader = &rd
	return nil
}

// brokenReader delivers so many bytes, and then an error.
type brokenReader struct {
	io.ReadCloser
	left int64
	end  error
}

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.end
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
