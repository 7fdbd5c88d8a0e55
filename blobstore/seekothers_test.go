package blobstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

var seekSeeds = flag.Int("seek.seeds", 100, "how many random uploads TestSeekAmongOthers makes")

// others is an upload that several Writers go on with, at several replicas, as they please.
type others struct {
	*testing.T
	bucket driver.Bucket
	rnd    *rand.Rand
	lost   atomic.Int32 // which of the next states is stored without a reply; 0 for none
	acked  map[string]digest.Digest
	before map[string]string // halves of states' names
	dead   map[string]bool
	ended  map[string]bool // halves of the names of states that a verdict may have removed
}

// oneOf is a Writer, and the ids that it has been on.
type oneOf struct {
	*blobstore.Writer
	was []string
}

// TestSeekAmongOthers has several Writers of one upload seek, write, lose replies and be told that
// a digest is wrong. What was acknowledged, and a Writer that was told so has not been on, is there.
func TestSeekAmongOthers(t *testing.T) {
	for _, name := range []string{"minio", "gcs"} {
		for seed := range uint64(*seekSeeds) {
			seekAmongOthers(t, withoutInterval(name), rand.New(rand.NewPCG(seed, 1)))
			if t.Failed() {
				t.Fatalf("%s, seed %d", name, seed)
			}
		}
	}
}

func seekAmongOthers(t *testing.T, bucket driver.Bucket, rnd *rand.Rand) {
	t.Helper()
	o := &others{T: t, rnd: rnd, acked: make(map[string]digest.Digest), before: make(map[string]string), dead: make(map[string]bool), ended: make(map[string]bool)}
	o.bucket = driver.Wrap(bucket, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpPut && strings.Contains(c.Key, "/s/") && o.lost.Load() > 0 && o.lost.Add(-1) == 0 {
			_ = next(ctx)
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied, OutcomeUnknown: true}
		}
		return next(ctx)
	})
	stores := []*blobstore.Store{newStore(t, o.bucket), newStore(t, o.bucket)}
	repo := func() *blobstore.Repository { return newRepository(t, stores[rnd.IntN(len(stores))], "repo") }
	first := written(t, repo())
	root := first.ID()
	o.acked[root] = digest.FromBytes(nil)
	writers := []*oneOf{{first, []string{root}}}
	for range 25 {
		i := rnd.IntN(len(writers))
		w := writers[i]
		o.lost.Store(0)
		if rnd.IntN(3) == 0 {
			o.lost.Store(1)
		}
		ended := false
		switch rnd.IntN(8) {
		case 0, 1, 2:
			_, err := w.ReadFrom(bytes.NewReader(content(rnd.Uint64(), []int{1, 100, part + 1, 3*part + 5}[rnd.IntN(4)])))
			ended = err != nil
			o.note(w, err == nil)
		case 3:
			_, err := w.Write(content(rnd.Uint64(), []int{100, 3 * part}[rnd.IntN(2)]))
			ended = err != nil
		case 4, 5:
			_, err := w.Seek(-1, io.SeekStart)
			if _, text, is := strings.Cut(fmt.Sprint(err), "seek to one of "); is {
				o.note(w, true) // what was written is persisted
				offsets := strings.Split(text, ", ")
				to, err := strconv.ParseInt(offsets[rnd.IntN(len(offsets))], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = w.Seek(to, io.SeekStart)
				o.note(w, true)
			}
		case 6:
			o.parents()
			_, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromString("wrong")})
			if errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
				o.kill(w)
			}
			ended = true
		case 7: // another one, where any other was, or where a status request leads
			ids := slices.Collect(func(yield func(string) bool) {
				for id := range o.acked {
					if !o.dead[id] && !yield(id) {
						return
					}
				}
			})
			slices.Sort(ids)
			if len(ids) == 0 {
				return
			}
			id := ids[rnd.IntN(len(ids))]
			if st, err := repo().Status(t.Context(), id); err == nil {
				id = st.ID
			}
			if another, err := repo().ResumeWriter(t.Context(), id); err == nil {
				n := &oneOf{another, []string{id}}
				o.ack(id, another.Digest())
				writers = append(writers, n)
			}
		}
		if ended {
			_ = w.Close()
			if writers = slices.Delete(writers, i, i+1); len(writers) == 0 {
				break
			}
		}
	}
	o.lost.Store(0)
	for _, s := range stores {
		_ = s.Close() // which tidies up
	}
	for id, want := range o.acked {
		if !o.dead[id] {
			o.look(id, want)
		}
	}
}

// note takes down where a Writer is.
func (o *others) note(w *oneOf, acked bool) {
	id := w.ID()
	w.was = append(w.was, id)
	if acked {
		o.ack(id, w.Digest())
	}
}

// ack takes down a state. What somebody adds to a branch that has ended, and whose objects are being
// removed, is not there for long.
func (o *others) ack(id string, d digest.Digest) {
	if _, known := o.acked[id]; known {
		return
	}
	o.acked[id] = d
	o.parents()
	for own := tokenOf(id)[16:]; own != "" && own != noParent; own = o.before[own] {
		o.dead[id] = o.dead[id] || o.ended[own]
	}
}

// kill takes down what a verdict may end: what the Writer was on, and what that follows from.
func (o *others) kill(w *oneOf) {
	for _, id := range w.was {
		for own := tokenOf(id)[16:]; own != "" && own != noParent; own = o.before[own] {
			o.ended[own] = true
			for id := range o.acked {
				if tokenOf(id)[16:] == own {
					o.dead[id] = true
				}
			}
		}
	}
}

func tokenOf(id string) string { return id[len(id)-32:] }

// parents takes down which state follows which, as their names tell.
func (o *others) parents() {
	for _, key := range keys(o.T, o.bucket) {
		if strings.Contains(key, "/s/") && !strings.HasSuffix(key, "/end") {
			token := tokenOf(key)
			o.before[token[16:]] = token[:16]
		}
	}
}

// look reads the content of an upload without an end to it.
func (o *others) look(id string, want digest.Digest) {
	o.Helper()
	fails := false
	b := driver.Wrap(o.bucket, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op.Changes() {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
		}
		return next(ctx)
	})
	s := newStore(o.T, b)
	defer s.Close()
	w, err := newRepository(o.T, s, "repo").ResumeWriter(o.Context(), id)
	if err != nil {
		o.Errorf("%s: %v", id, err)
		return
	}
	h := sha256.New()
	w.Inspect(func(r io.Reader) error {
		fails = true
		_, err := io.Copy(h, r)
		return err
	})
	if _, err := w.Commit(o.Context(), v1.Descriptor{Digest: want}); !errors.Is(err, driver.Denied) {
		o.Errorf("%s: %v", id, err)
	} else if got := digest.NewDigest(digest.SHA256, h); got != want {
		o.Errorf("%s: content has %s, want %s", id, got, want)
	}
	_ = w.Close()
}

// noParent is the half that the names of an upload's first states have of none.
const noParent = "aaaaaaaaaaaaaaaa"
