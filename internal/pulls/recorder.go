// Package pulls remembers when manifests were pulled last, by tag or by digest. Registries keep it
// in memory, and write what is new to an object of its own now and then, so that a pull costs no
// request. Retention reads these objects.
package pulls

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// MaxAge is for how long a pull is remembered.
const MaxAge = 2 * 365 * 24 * time.Hour

// Precision is that of the times that are kept: a pull was up to so much later.
const Precision = time.Hour

// most is how many pulls a Recorder holds before it asks for a flush.
const most = 50_000

// Record is what is known of pulls.
type Record struct {
	// Since is when the first registry began to record; zero where none has.
	Since time.Time `json:"since"`
	// Last is when a manifest was pulled last, by repository, and by tag or digest.
	Last map[string]map[string]time.Time `json:"last"`
}

// Pulled is when the repository's manifest was pulled last by any of these names; zero is not
// since the record began.
func (r Record) Pulled(repository string, refs ...string) (last time.Time) {
	for _, ref := range refs {
		if at := r.Last[repository][ref]; at.After(last) {
			last = at
		}
	}
	return last
}

// note adds a pull.
func (r *Record) note(repository, ref string, at time.Time) (isNew bool) {
	of := r.Last[repository]
	if of == nil {
		of = make(map[string]time.Time)
		r.Last[repository] = of
	}
	known, there := of[ref]
	if !there || at.After(known) {
		of[ref] = at
	}
	return !there
}

// add adds another record, but what is older than MaxAge.
func (r *Record) add(other Record, now time.Time) {
	if r.Since.IsZero() || !other.Since.IsZero() && other.Since.Before(r.Since) {
		r.Since = other.Since
	}
	for repository, refs := range other.Last {
		for ref, at := range refs {
			if now.Sub(at) < MaxAge {
				r.note(repository, ref, at)
			}
		}
	}
}

// Recorder is where a registry notes pulls. It is safe for concurrent use.
type Recorder struct {
	bucket driver.Bucket
	layout layout.Layout
	// Full is sent to when there is so much to write that it should not wait.
	Full chan struct{}

	mu      sync.Mutex
	pending Record
	count   int
	told    bool // that this registry records is in the bucket
}

// NewRecorder notes pulls of the registry in the bucket.
func NewRecorder(b driver.Bucket, l layout.Layout) *Recorder {
	return &Recorder{bucket: b, layout: l, Full: make(chan struct{}, 1), pending: empty()}
}

func empty() Record { return Record{Last: make(map[string]map[string]time.Time)} }

// Note notes that a manifest was pulled now, by tag or by digest.
func (r *Recorder) Note(repository, ref string) {
	at := r.bucket.Features().Time().Truncate(Precision)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending.note(repository, ref, at) {
		r.count++
	}
	if r.count >= most {
		select {
		case r.Full <- struct{}{}:
		default:
		}
	}
}

// Flush writes what was noted since the last Flush; the first one in any case, as it tells since
// when pulls are recorded. What can't be written is kept for the next one.
func (r *Recorder) Flush(ctx context.Context) error {
	now := r.bucket.Features().Time()
	r.mu.Lock()
	if r.count == 0 && r.told {
		r.mu.Unlock()
		return nil
	}
	rec := r.pending
	rec.Since = now
	r.pending, r.count, r.told = empty(), 0, true
	r.mu.Unlock()
	err := write(ctx, r.bucket, r.layout, rec)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = false
		for repository, refs := range rec.Last {
			for ref, at := range refs {
				if r.pending.note(repository, ref, at) {
					r.count++
				}
			}
		}
	}
	return err
}

// write puts a record under a name of its own.
func write(ctx context.Context, b driver.Bucket, l layout.Layout, rec Record) error {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if err := json.NewEncoder(z).Encode(rec); err != nil {
		return fmt.Errorf("pulls: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("pulls: %w", err)
	}
	key := l.Pulls() + uuid.NewString()
	if _, err := b.Put(ctx, key, io.NewSectionReader(bytes.NewReader(buf.Bytes()), 0, int64(buf.Len())), driver.WriteOptions{}); err != nil {
		return fmt.Errorf("pulls: %w", err)
	}
	return nil
}
