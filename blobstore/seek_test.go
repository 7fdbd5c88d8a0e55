package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// written begins an upload with a state behind each of the chunks.
func written(t *testing.T, repo *blobstore.Repository, chunks ...[]byte) *blobstore.Writer {
	t.Helper()
	w, err := repo.CreateWriter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for _, p := range chunks {
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func seek(t *testing.T, w io.Seeker, offset int64, whence int, want int64) {
	t.Helper()
	if got, err := w.Seek(offset, whence); err != nil || got != want {
		t.Fatalf("Seek(%d, %d): %d, %v; want %d", offset, whence, got, err, want)
	}
}

func commit(t *testing.T, w *blobstore.Writer, p []byte) {
	t.Helper()
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(p), Size: int64(len(p))}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func TestSeekEndTellsTheOffset(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "repo")
	w := written(t, repo, content(1, 5), content(2, 3*part))
	seek(t, w, 0, io.SeekEnd, 5+3*part)
	if _, err := w.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	seek(t, w, 0, io.SeekEnd, 9+3*part)
	seek(t, w, 0, io.SeekCurrent, 9+3*part)
	seek(t, w, 9+3*part, io.SeekStart, 9+3*part)
}

func TestSeekGoesBackToAnEarlierState(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	repo := newRepository(t, s, "repo")
	one, two, three := content(1, 5), content(2, 3*part), content(3, 4*part+1)
	w := written(t, repo, one, two)
	seek(t, w, 5, io.SeekStart, 5)
	if got := w.Size(); got != 5 {
		t.Errorf("Size: %d, want 5", got)
	}
	if got, want := w.Digest(), digest.FromBytes(one); got != want {
		t.Errorf("Digest: %s, want %s", got, want)
	}
	if _, err := w.Write(three); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(one, three)
	commit(t, w, all)
	wantContent(t, repo, digest.FromBytes(all), all)
	wantKeys(t, b, 2, s)
}

func TestSeekForwardAgain(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "repo")
	one, two := content(1, 5), content(2, 3*part)
	w := written(t, repo, one, two)
	seek(t, w, 0, io.SeekStart, 0)
	seek(t, w, 0, io.SeekEnd, 5+3*part)
	seek(t, w, -3*part, io.SeekCurrent, 5)
	seek(t, w, 3*part, io.SeekCurrent, 5+3*part)
	commit(t, w, slices.Concat(one, two))
}

// TestSeekGoesToTheBranchLeftLast has two branches with a state at one offset.
func TestSeekGoesToTheBranchLeftLast(t *testing.T) {
	one, two, three := content(1, 5), content(2, 5), content(3, 5)
	for range 10 { // the names of states are random, and so is their order
		w := written(t, newRepository(t, newStore(t, newBucket(t)), "repo"), one, two)
		seek(t, w, 5, io.SeekStart, 5)
		if _, err := w.ReadFrom(bytes.NewReader(three)); err != nil {
			t.Fatal(err)
		}
		for _, to := range []int64{0, 5, 10} {
			seek(t, w, to, io.SeekStart, to)
		}
		commit(t, w, slices.Concat(one, three))
	}
}

func TestSeekKeepsWhatWasWritten(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "repo")
	w := written(t, repo)
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	seek(t, w, 0, io.SeekStart, 0)
	seek(t, w, 5, io.SeekStart, 5)
	commit(t, w, []byte("hello"))
}

func TestSeekElsewhereNamesTheOffsets(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "repo")
	w := written(t, repo, content(1, 5), content(2, 7))
	for _, tt := range []struct {
		offset int64
		whence int
	}{{3, io.SeekStart}, {13, io.SeekStart}, {-1, io.SeekStart}, {-13, io.SeekCurrent}, {1, io.SeekEnd}, {-1, io.SeekEnd}} {
		_, err := w.Seek(tt.offset, tt.whence)
		if !errors.Is(err, blobstore.ErrUploadOffset) || !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "0, 5, 12") {
			t.Errorf("Seek(%d, %d): %v", tt.offset, tt.whence, err)
		}
		if w.Size() != 12 {
			t.Fatalf("the Writer is at %d", w.Size())
		}
	}
	if _, err := w.Seek(0, 7); !errors.Is(err, driver.Invalid) {
		t.Errorf("whence 7: %v", err)
	}
	commit(t, w, slices.Concat(content(1, 5), content(2, 7)))
}

// TestSeekElsewhereNamesTheNearest has an upload with more states than an error's text takes.
func TestSeekElsewhereNamesTheNearest(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "repo")
	var chunks [][]byte
	for i := range 60 {
		chunks = append(chunks, content(uint64(i), 10))
	}
	w := written(t, repo, chunks...)
	_, err := w.Seek(303, io.SeekStart)
	if !errors.Is(err, blobstore.ErrUploadOffset) || !strings.Contains(err.Error(), " 300, 310, ") || strings.Contains(err.Error(), " 600") || len(err.Error()) > 400 {
		t.Errorf("Seek: %v", err)
	}
	seek(t, w, 20, io.SeekStart, 20) // which no header names any more
	commit(t, w, slices.Concat(chunks[:2]...))
}

func TestSeekAfterResume(t *testing.T) {
	b := newBucket(t)
	one, two := content(1, 5), content(2, 3*part)
	w := written(t, newRepository(t, newStore(t, b), "repo"))
	first := w.ID()
	for _, p := range [][]byte{one, two} {
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	other := newStore(t, b)
	repo := newRepository(t, other, "repo")
	w, err := repo.ResumeWriter(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	seek(t, w, 0, io.SeekCurrent, 0)
	seek(t, w, 5, io.SeekStart, 5)
	seek(t, w, 0, io.SeekEnd, 5+3*part)
	commit(t, w, slices.Concat(one, two))
	wantKeys(t, b, 2, other)
}

func TestSeekBackThenWrongDigestEndsTheUpload(t *testing.T) {
	for _, tt := range []struct {
		to        int64
		persisted bool
	}{{0, false}, {0, true}, {3 * part, false}, {3 * part, true}} {
		t.Run(fmt.Sprintf("to %d, persisted %t", tt.to, tt.persisted), func(t *testing.T) {
			b := newBucket(t)
			s := newStore(t, b)
			w := written(t, newRepository(t, s, "repo"), content(1, 3*part), content(2, 3*part))
			seek(t, w, tt.to, io.SeekStart, tt.to)
			if _, err := w.Write(content(3, 3*part)); err != nil {
				t.Fatal(err)
			}
			if tt.persisted {
				if _, err := w.ReadFrom(bytes.NewReader(content(4, 3*part))); err != nil {
					t.Fatal(err)
				}
			}
			_, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromString("other")})
			if !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
				t.Fatalf("Commit: %v", err)
			}
			wantKeys(t, b, 0, s)
		})
	}
}

// TestSeekBackLeavesWhatAnotherContinues has another request go on from the state that a Writer
// seeks away from. The verdict on the Writer's bytes ends nothing that the other needs.
func TestSeekBackLeavesWhatAnotherContinues(t *testing.T) {
	b := newBucket(t)
	repo := newRepository(t, newStore(t, b), "repo")
	one, two, three := content(1, 3*part), content(2, 3*part), content(3, 3*part)
	w := written(t, repo, one, two)
	next := patch(t, repo, w.ID(), three)
	seek(t, w, 3*part, io.SeekStart, 3*part)
	if _, err := w.Write([]byte("other")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromString("wrong")}); !errors.Is(err, blobstore.ErrUploadConflict) {
		t.Fatalf("Commit: %v", err)
	}
	finishAll(t, repo, next, slices.Concat(one, two, three))
}

// losingAReply is a bucket that writes the next state after it is armed, and loses the reply.
func losingAReply(t *testing.T) (driver.Bucket, *atomic.Bool) {
	t.Helper()
	armed := new(atomic.Bool)
	return driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpPut && strings.Contains(c.Key, "/s/") && armed.CompareAndSwap(true, false) {
			_ = next(ctx)
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied, OutcomeUnknown: true}
		}
		return next(ctx)
	}), armed
}

// TestVerdictAfterALostReply loses the reply to the first state of an upload. Another request finds
// that state. The verdict on the bytes of the state that was written then leaves the pieces, which both
// name.
func TestVerdictAfterALostReply(t *testing.T) {
	b, armed := losingAReply(t)
	s := newStore(t, b)
	repo := newRepository(t, s, "repo")
	w := written(t, repo)
	id, one := w.ID(), content(1, 3*part)
	if _, err := w.Write(one); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	if _, err := w.Seek(0, io.SeekStart); !errors.Is(err, driver.Denied) {
		t.Fatal(err)
	}
	st, err := repo.Status(t.Context(), id)
	if err != nil || st.Size != 3*part {
		t.Fatalf("Status: %+v, %v", st, err)
	}
	if _, err := w.ReadFrom(bytes.NewReader([]byte("more"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromString("wrong")}); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
		t.Fatalf("Commit: %v", err)
	}
	_ = s.Close() // which tidies up
	finishAll(t, newRepository(t, newStore(t, b), "repo"), st.ID, one)
}

// TestSeekBackAfterALostReply loses the reply to the state that a Seek persists. Another request
// finds that state, and goes on from it. The verdict on what the Writer has made of the upload since
// ends nothing that the other needs.
func TestSeekBackAfterALostReply(t *testing.T) {
	b, armed := losingAReply(t)
	s := newStore(t, b)
	repo := newRepository(t, s, "repo")
	one, two, three := content(1, 3*part), content(2, 3*part), content(3, 3*part)
	w := written(t, repo, one)
	id := w.ID()
	if _, err := w.Write(two); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	if _, err := w.Seek(3*part, io.SeekStart); !errors.Is(err, driver.Denied) {
		t.Fatal(err)
	}
	st, err := repo.Status(t.Context(), id)
	if err != nil || st.Size != 6*part {
		t.Fatalf("Status: %+v, %v", st, err)
	}
	next := patch(t, repo, st.ID, three)
	seek(t, w, 3*part, io.SeekStart, 3*part)
	if _, err := w.ReadFrom(bytes.NewReader([]byte("other"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromString("wrong")}); !errors.As(err, new(distribution.ErrBlobInvalidDigest)) {
		t.Fatalf("Commit: %v", err)
	}
	_ = s.Close() // which tidies up
	finishAll(t, newRepository(t, newStore(t, b), "repo"), next, slices.Concat(one, two, three))
}

func TestSeekOfAnEndedUpload(t *testing.T) {
	repo := newRepository(t, newStore(t, newBucket(t)), "repo")
	w := written(t, repo, content(1, 5))
	other, err := repo.ResumeWriter(t.Context(), w.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seek(0, io.SeekStart); !errors.Is(err, distribution.ErrBlobUploadUnknown) {
		t.Errorf("Seek: %v", err)
	}
	_ = w.Close()
	if _, err := w.Seek(0, io.SeekStart); !errors.Is(err, blobstore.ErrUploadClosed) {
		t.Errorf("Seek after Close: %v", err)
	}
}

// TestSeekDuringTheLastRequest has a body go to the digest's key: there are no states.
func TestSeekDuringTheLastRequest(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	repo := newRepository(t, s, "repo")
	p := content(1, 5*part)
	w, err := repo.ResumeWriter(putRequest(digest.FromBytes(p), len(p)), begin(t, repo))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
		t.Fatal(err)
	}
	seek(t, w, 0, io.SeekEnd, 5*part)
	if _, err := w.Seek(0, io.SeekStart); !errors.Is(err, blobstore.ErrUploadOffset) {
		t.Errorf("Seek: %v", err)
	}
	commit(t, w, p)
	wantKeys(t, b, 2, s)
}

// TestSeekRequests counts what Seek costs.
func TestSeekRequests(t *testing.T) {
	var calls []driver.Op
	b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		calls = append(calls, c.Op)
		return next(ctx)
	})
	repo := newRepository(t, newStore(t, b), "repo")
	w := written(t, repo, content(1, 5), content(2, 5))
	for _, tt := range []struct {
		offset int64
		whence int
		want   []driver.Op
	}{
		{0, io.SeekCurrent, nil},
		{10, io.SeekStart, nil},
		{0, io.SeekEnd, []driver.Op{driver.OpList}},
		{5, io.SeekStart, []driver.Op{driver.OpList}}, // the state is in the cache
	} {
		calls = nil
		if _, err := w.Seek(tt.offset, tt.whence); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(calls, tt.want) {
			t.Errorf("Seek(%d, %d): %v, want %v", tt.offset, tt.whence, calls, tt.want)
		}
	}
}

// TestSeekAtRandom has uploads seek, write, and go on at other replicas, on the imitation of each
// store, and compares their content with a byte slice that does the same.
func TestSeekAtRandom(t *testing.T) {
	onEachStore(t, func(t *testing.T, bucket func() driver.Bucket) {
		for seed := range uint64(30) {
			seekAtRandom(t, bucket(), rand.New(rand.NewPCG(seed, 0)))
		}
	})
}

func seekAtRandom(t *testing.T, b driver.Bucket, rnd *rand.Rand) {
	t.Helper()
	o := options()
	if rnd.IntN(2) == 0 {
		o.Secret = nil
	}
	stores := []*blobstore.Store{newStoreWith(t, b, o), newStoreWith(t, b, o)}
	w := written(t, newRepository(t, stores[0], "repo"))
	var (
		now  []byte   // the content up to where the Writer is
		back [][]byte // at the states on the way there
		on   [][]byte // at the states that follow
	)
	reached := func() {
		if len(back) == 0 || len(back[len(back)-1]) < len(now) {
			back, on = append(back, slices.Clone(now)), nil
		}
	}
	reached()
	for range 20 {
		p := content(rnd.Uint64(), []int{0, 1, 100, part, 3*part + 5}[rnd.IntN(5)])
		switch rnd.IntN(5) {
		case 0:
			if _, err := w.Write(p); err != nil {
				t.Fatal(err)
			}
			if now = append(now, p...); len(p) > 0 {
				on = nil
			}
		case 1:
			if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
				t.Fatal(err)
			}
			now = append(now, p...)
			reached()
		case 2:
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			reached()
			on = nil // which branch the Writer was on last is forgotten
			var err error
			if w, err = newRepository(t, stores[rnd.IntN(2)], "repo").ResumeWriter(t.Context(), w.ID()); err != nil {
				t.Fatal(err)
			}
		default:
			was := len(now)
			if was > len(back[len(back)-1]) {
				on = nil
			}
			all := append(slices.Clone(back), on...)
			if was > len(back[len(back)-1]) {
				all = append(all, slices.Clone(now)) // Seek persists it
			}
			i := rnd.IntN(len(all))
			to := int64(len(all[i]))
			whence := rnd.IntN(2)
			offset := to
			if whence == io.SeekCurrent {
				offset -= int64(was)
			}
			seek(t, w, offset, whence, to)
			if to != int64(was) {
				back, on, now = slices.Clone(all[:i+1]), slices.Clone(all[i+1:]), slices.Clone(all[i])
			}
		}
		if w.Size() != int64(len(now)) || w.Digest() != digest.FromBytes(now) {
			t.Fatalf("at %d with %s, want %d with %s", w.Size(), w.Digest(), len(now), digest.FromBytes(now))
		}
	}
	commit(t, w, now)
	wantContent(t, newRepository(t, stores[0], "repo"), digest.FromBytes(now), now)
	_ = w.Close()
	// A Writer that was closed after a Seek back has told nobody what it had left.
	time.Sleep(30 * 24 * time.Hour)
	if _, err := stores[0].Sweep(t.Context(), blobstore.SweepOptions{}); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, b, 2, stores...)
}

// TestSeekWhileTheStoreFails fails each call that a Seek makes, at another replica than the one
// that began the upload. The Seek can be repeated, and nothing is lost.
func TestSeekWhileTheStoreFails(t *testing.T) {
	one, two, three := content(1, 3*part), content(2, 200), content(3, 100)
	for n := 1; ; n++ {
		calls, armed := 0, false
		b := driver.Wrap(newBucket(t), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if armed {
				if calls++; calls == n {
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
				}
			}
			return next(ctx)
		})
		first := written(t, newRepository(t, newStore(t, b), "repo"), one, two)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		w, err := newRepository(t, newStore(t, b), "repo").ResumeWriter(t.Context(), first.ID())
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if _, err := w.Write(three); err != nil {
			t.Fatal(err)
		}
		armed = true
		_, err = w.Seek(3*part, io.SeekStart)
		armed = false
		if calls < n {
			if n < 4 {
				t.Errorf("%d calls, want a state, a list, and a state's header", n-1)
			}
			return
		}
		if !errors.Is(err, driver.Denied) || w.Size() != 3*part+300 {
			t.Errorf("call %d: %v, at %d", n, err, w.Size())
		}
		seek(t, w, 3*part, io.SeekStart, 3*part)
		seek(t, w, 0, io.SeekEnd, 3*part+300)
		commit(t, w, slices.Concat(one, two, three))
	}
}
