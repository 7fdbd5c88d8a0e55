package upload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Options tune an Engine. All fields but those with a default must be set.
type Options struct {
	Layout layout.Layout
	// Secret makes first ids authentic. Without it the beginning of an upload writes a
	// state.
	Secret []byte
	// PartSize is the size in bytes of an upload's first pieces and parts, and the
	// largest blob that is stored by a single request.
	PartSize int64
	// MaxPart is the size in bytes that pieces and parts grow to at most.
	MaxPart int64
	// Concurrency is how many pieces or parts of one upload are sent at the same time.
	Concurrency int
	Budget      *memory.Budget
	// MemoryWait is how long a request waits for memory before it fails with
	// memory.ErrBusy.
	MemoryWait time.Duration
	// Checkpoint is after how many times PartSize of one request a state is written, so that
	// a process that dies loses no more than these bytes; 0 is 8.
	Checkpoint int
	// MaxAge is how long an upload may rest before it is refused; DefaultMaxAge. The sweep
	// takes it a day later.
	MaxAge time.Duration
	// Grace is how long a request whose client went away may still take to persist what
	// had arrived, and a commit to end.
	Grace time.Duration
	Copy  driver.CopyPlan
	Retry retry.Policy
	// Watch knows what is being deleted, and must not be counted on. nil is nothing.
	Watch *tombstone.Watch
	Cache int // states that are kept; 0 is 1024
	Log   *slog.Logger
}

// DefaultMaxAge with the day that a sweep waits longer is the week of distribution's
// uploadpurging.
const DefaultMaxAge = 6 * 24 * time.Hour

// Engine runs the uploads of one bucket. It is safe for concurrent use.
type Engine struct {
	bucket   driver.Bucket
	features driver.Features
	options  Options
	layout   layout.Layout
	budget   *memory.Budget
	cache    *cache
	cleanup  *cleanup
	secret   atomic.Pointer[[]byte] // nil until there is one
	// unconditional tells that the store has refused a condition that it is thought to
	// offer.
	unconditional atomic.Bool
	distrusted    distrusted
}

// UseSecret makes first ids authentic by a secret, unless there is one already.
func (e *Engine) UseSecret(secret []byte) {
	if len(secret) > 0 && e.secret.Load() == nil {
		e.secret.CompareAndSwap(nil, &secret)
	}
}

// New makes an Engine on b, which retries what is safe to retry. It sends no request.
func New(b driver.Bucket, o Options) *Engine {
	if o.Checkpoint == 0 {
		o.Checkpoint = 8
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.Cache == 0 {
		o.Cache = 1024
	}
	e := &Engine{bucket: b, features: b.Features(), options: o, layout: o.Layout, budget: o.Budget}
	e.UseSecret(o.Secret)
	e.cache = newCache(o.Cache, o.Budget)
	e.cleanup = newCleanup(b, o.Log)
	return e
}

// Close ends the cleanup in the background, whose queue it works off as long as ctx lets
// it. No call may be under way.
func (e *Engine) Close(ctx context.Context) error {
	err := e.cleanup.close(ctx)
	e.cache.close()
	return err
}

// Request is what the HTTP request that a call serves tells beforehand. The zero value,
// but for Length, knows nothing.
type Request struct {
	Digest    digest.Digest    // what the content is said to have, "" if that is not said
	Algorithm digest.Algorithm // of the digest that will be asked for
	Length    int64            // of the body in bytes, -1 when unknown
	Final     bool             // the bytes of this request are the last: Commit follows
	Client    memory.Client
	HTTP      bool // a client waits, which may go away
}

// Create begins an upload to a repository. It sends no request where first ids can be
// made authentic.
func (e *Engine) Create(ctx context.Context, repo string, r Request) (*Writer, error) {
	i, err := e.newID(repo)
	if err != nil {
		return nil, err
	}
	st := e.firstState(i, repo, r)
	e.cache.begun(i.uuid)
	w := e.newWriter(ctx, repo, st, r)
	if e.secret.Load() != nil {
		return w, nil
	}
	if err := w.persist(ctx, true); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	return w, nil
}

// firstState is that of an upload without bytes.
func (e *Engine) firstState(i id, repo string, r Request) *state {
	algs := []digest.Algorithm{digest.SHA256}
	if r.Algorithm == digest.SHA512 || r.Digest != "" && r.Digest.Algorithm() == digest.SHA512 {
		algs = append(algs, digest.SHA512)
	}
	return &state{id: i, folder: e.folder(repo, i.uuid), written: i.started(), header: header{
		Repository: repo, Started: i.started(), Algorithms: algs, Hint: r.Digest,
	}}
}

// Resume continues the upload that an id names, wherever it was begun. ErrUnknown when
// there is none, or no longer.
func (e *Engine) Resume(ctx context.Context, repo, name string, r Request) (*Writer, error) {
	st, err := e.find(ctx, repo, name, r)
	if errors.Is(err, ErrUnknown) && r.Final {
		// An earlier request may have committed the upload, whose answer was lost.
		if i, perr := e.parseID(name, repo); perr == nil {
			size, ok, perr := e.isPublished(ctx, repo, r.Digest)
			if perr != nil {
				return nil, fmt.Errorf("upload %s: %w", i.uuid, perr)
			}
			if ok {
				w := e.newWriter(ctx, repo, &state{id: i, header: header{Offset: i.offset, Started: i.started()}}, r)
				w.published, w.blobSize = true, size
				return w, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return e.newWriter(ctx, repo, st, r), nil
}

// Now is the time by the store's clock, as far as a reply has told it.
func (e *Engine) Now() time.Time {
	return e.features.Time()
}

// tooOld reports whether an upload that was touched then is refused.
func (e *Engine) tooOld(touched time.Time) bool {
	return !touched.IsZero() && e.Now().Sub(touched) > e.options.MaxAge
}

// find is the state that an id names.
func (e *Engine) find(ctx context.Context, repo, name string, r Request) (*state, error) {
	i, err := e.parseID(name, repo)
	if err != nil {
		return nil, err
	}
	if i.first() {
		if time.Since(i.started()) > e.options.MaxAge { // a replica's clock has made it
			return nil, ErrUnknown
		}
		return e.firstState(i, repo, r), nil
	}
	key := i.stateKey(e.folder(repo, i.uuid))
	if st := e.cache.get(key); st != nil {
		if e.tooOld(st.written) {
			e.cache.forget(key)
			return nil, ErrUnknown
		}
		return st, nil
	}
	var buf *memory.Buffer
	if r.Final {
		buf = e.cache.holder.NewBuffer() // the commit needs the bytes
	}
	st, err := e.loadInto(ctx, e.folder(repo, i.uuid), repo, i, buf)
	switch {
	case err != nil:
		return nil, err
	case buf != nil && buf.Size() > 0:
		e.cache.put(st, joined{buf})
	default:
		e.cache.put(st, nil)
	}
	return st, nil
}
