// Package tombstone is what garbage collection and those that push tell each other: objects that
// say which version of another object is about to be deleted. docs/gc-protocol.md is the protocol.
package tombstone

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// State is how far a deletion has got. States only advance.
type State string

// The states, and which follow each other: Condemned is followed by Rescued, or by Deleting and
// then Done.
const (
	Condemned State = "condemned" // an object that nobody refers to; who needs it rescues it
	Rescued   State = "rescued"
	Deleting  State = "deleting" // the version counts as absent, although it can still be read
	Done      State = "done"
)

// format is the newest format of tombstones that is understood.
const format = 1

// maxSize is more bytes than a tombstone has.
const maxSize = 16 << 10

// Tombstone says what is done to one version of one object.
type Tombstone struct {
	Format int `json:"format"`
	// Key is the object's.
	Key string `json:"key"`
	// Version is driver.Object.Version where the store has versions, and then Unique is set: no
	// other object ever has it. Elsewhere it is an ETag, which equal bytes have again.
	Version string `json:"version"`
	Unique  bool   `json:"unique"`
	State   State  `json:"state"`
	// NotAfter is when the store no longer executes a deletion that is under way, in whole
	// seconds of its clock. Zero where versions are unique.
	NotAfter time.Time `json:"not_after,omitzero"`
}

// Of is the tombstone that condemns an object.
func Of(o driver.Object) Tombstone {
	t := Tombstone{Format: format, Key: o.Key, Version: o.Version, Unique: true, State: Condemned}
	if o.Version == "" {
		t.Version, t.Unique = o.ETag, false
	}
	return t
}

// Names reports whether o is the version that the tombstone is about.
func (t Tombstone) Names(o driver.Object) bool {
	if t.Unique {
		return t.Key == o.Key && t.Version == o.Version
	}
	return t.Key == o.Key && t.Version == o.ETag
}

// Stored is a tombstone in the bucket.
type Stored struct {
	Tombstone
	At      string // its own key
	etag    string // of what was read or written
	renewed bool   // NotAfter is of this process, for a deletion that it has not sent yet
}

// Create stores t under a new name, in the folder of d.
func Create(ctx context.Context, b driver.Bucket, l layout.Layout, d digest.Digest, t Tombstone) (Stored, error) {
	s := Stored{Tombstone: t, At: l.Tombstones(d) + rand.Text()}
	err := s.put(ctx, b, driver.Cond{IfAbsent: true})
	return s, err
}

// Read reads the tombstone at a key. driver.NotFound when it is gone; driver.Corrupt when it is
// none, or one of a later version of this program: of what it is about nothing may be deleted.
func Read(ctx context.Context, b driver.Bucket, key string) (Stored, error) {
	rd, err := b.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return Stored{}, fmt.Errorf("tombstone: %w", err)
	}
	defer rd.Close()
	p, err := io.ReadAll(io.LimitReader(rd, maxSize))
	if err != nil {
		return Stored{}, fmt.Errorf("tombstone %q: %w", key, err)
	}
	s := Stored{At: key, etag: rd.Object.ETag}
	if err := json.Unmarshal(p, &s.Tombstone); err != nil {
		return Stored{}, fmt.Errorf("tombstone %q: %w: %w", key, driver.Corrupt, err)
	}
	switch {
	case s.Format > format:
		return Stored{}, fmt.Errorf("tombstone %q is of format %d, which a later version of blobdock wrote: %w", key, s.Format, driver.Corrupt)
	case s.Format != format, s.Key == "", s.Version == "", !s.State.known():
		return Stored{}, fmt.Errorf("tombstone %q lacks something: %w", key, driver.Corrupt)
	}
	return s, nil
}

func (s State) known() bool {
	switch s {
	case Condemned, Rescued, Deleting, Done:
		return true
	}
	return false
}

// Ended reports whether nothing follows.
func (s State) Ended() bool { return s == Rescued || s == Done }

// Change replaces the tombstone by what it is after change, if it is as it was read or written
// last; else driver.Mismatch, or driver.NotFound. A Mismatch that is due to a lost reply of
// its own write is none.
func (s *Stored) Change(ctx context.Context, b driver.Bucket, change func(*Tombstone)) error {
	next := *s
	change(&next.Tombstone)
	err := next.put(ctx, b, driver.Cond{IfMatch: s.etag})
	if err == nil {
		*s = next
	}
	return err
}

func (s *Stored) put(ctx context.Context, b driver.Bucket, c driver.Cond) error {
	p, err := json.Marshal(s.Tombstone)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		obj, err := b.Put(ctx, s.At, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{Cond: c, ContentType: "application/json"})
		if err == nil {
			s.etag = obj.ETag
			return nil
		}
		err = fmt.Errorf("tombstone: %w", err)
		if !errors.Is(err, driver.Mismatch) && !errors.Is(err, driver.Exists) && !driver.OutcomeUnknown(err) {
			return err
		}
		there, rerr := Read(ctx, b, s.At)
		switch {
		case rerr == nil && there.says(p):
			// No two writes of a tombstone are equal: states advance, and NotAfter grows. Where they
			// are, whoever wrote the other does the same.
			s.etag = there.etag
			return nil
		case rerr != nil && (!c.IfAbsent || !errors.Is(rerr, driver.NotFound)):
			return errors.Join(err, rerr)
		case rerr == nil && there.etag != c.IfMatch:
			return fmt.Errorf("tombstone %q was changed: %w", s.At, driver.Mismatch)
		case try == tries:
			return err
		}
		// It is as it was before.
	}
}

// tries bounds how often a write is repeated of which nobody knows whether it took place.
const tries = 5

// says reports whether a tombstone is what was to be written.
func (s Stored) says(p []byte) bool {
	q, err := json.Marshal(s.Tombstone)
	return err == nil && bytes.Equal(p, q)
}

// Remove removes a tombstone that was seen to have ended. Its name is never used again.
func (s Stored) Remove(ctx context.Context, b driver.Bucket) error {
	if err := b.Delete(ctx, s.At, driver.DeleteOptions{}); err != nil {
		return fmt.Errorf("tombstone: %w", err)
	}
	return nil
}
