package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
)

// unanswered has the nth call that changes something get no reply: it has not happened, or
// it has.
func unanswered(b driver.Bucket, nth int, happened bool) driver.Bucket {
	n := make(chan int, 1)
	n <- 0
	return driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if !c.Op.Changes() {
			return next(ctx)
		}
		i := <-n + 1
		n <- i
		if i != nth {
			return next(ctx)
		}
		if happened {
			_ = next(ctx)
		}
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: true, Err: io.ErrUnexpectedEOF}
	})
}

// TestLostReply pushes in each way and loses the reply to each change in turn.
func TestLostReply(t *testing.T) {
	p := content(7, 20_000)
	d := digest.FromBytes(p)
	for _, name := range []string{"minio", "gcs", "azure", "plain"} {
		for _, chunk := range []int{0, 5000, len(p)} {
			for nth := 1; nth < 18; nth++ {
				for _, happened := range []bool{false, true} {
					b := withoutInterval(name)
					s := newStore(t, unanswered(b, nth, happened))
					if err := push(newRepository(t, s, "team/app"), p, chunk, d); err != nil {
						t.Errorf("%s, by %d: change %d is lost, has happened: %v: %v", name, chunk, nth, happened, err)
					}
					wantContent(t, newRepository(t, newStore(t, b), "team/app"), d, p)
				}
			}
		}
	}
}

// TestRepeatedPUT ends an upload twice, as a client does whose 201 was lost: at once, when
// what the first one left has been removed, and when its removal has failed.
func TestRepeatedPUT(t *testing.T) {
	for _, size := range []int{100, 1500, 9000} {
		p := content(25, size)
		d := digest.FromBytes(p)
		for _, last := range []int{0, 50} {
			for _, how := range []string{"at once", "removed", "kept"} {
				b := newBucket(t)
				store := b
				if how == "kept" {
					store = fault.Wrap(b, fault.Script{{Op: driver.OpDeleteBatch}, {Op: driver.OpDelete}})
				}
				s := newStore(t, store)
				repo := newRepository(t, s, "app")
				id := patch(t, repo, begin(t, repo), p[:size-last])
				for nth := range 3 {
					if err := sendPUT(repo, id, d, p[size-last:]); err != nil {
						t.Errorf("%d bytes, %d with the PUT, %s: PUT %d: %v", size, last, how, nth, err)
					}
					if how != "at once" {
						_ = s.Close()
						s = newStore(t, store)
						repo = newRepository(t, s, "app")
					}
				}
				wantContent(t, repo, d, p)
			}
		}
	}
}

// TestTwoEndings ends one upload by two PUTs with different last bytes, while the replies to
// the second's publishing are lost: nothing wrong lies under either digest.
func TestTwoEndings(t *testing.T) {
	head := content(3, 9000)
	one, two := append(bytes.Clone(head), "the first"...), append(bytes.Clone(head), "otherwise"...)
	for nth := 1; nth < 10; nth++ {
		for _, happened := range []bool{true, false} {
			b := newBucket(t)
			plain := newRepository(t, newStore(t, b), "app")
			id := patch(t, plain, begin(t, plain), head)
			first := make(chan error, 1)
			begun := false
			lossy := driver.Wrap(unanswered(b, nth, happened), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == driver.OpCompleteUpload && !begun {
					begun = true
					first <- sendPUT(plain, id, digest.FromBytes(one), []byte("the first"))
				}
				return next(ctx)
			})
			err2 := sendPUT(newRepository(t, newStore(t, lossy), "app"), id, digest.FromBytes(two), []byte("otherwise"))
			if begun {
				if err := <-first; err != nil {
					t.Errorf("change %d lost: first PUT: %v", nth, err)
				}
			}
			for _, p := range [][]byte{one, two} {
				if _, err := b.Stat(t.Context(), blobKey(digest.FromBytes(p))); err == nil {
					wantBlob(t, b, digest.FromBytes(p), p)
				} else if !errors.Is(err, driver.NotFound) {
					t.Error(err)
				}
			}
			if err2 == nil {
				wantBlob(t, b, digest.FromBytes(two), two)
			}
		}
	}
}

// TestBrokenStateRead breaks the connection in the bytes of a state that is read, once and
// for good. It is resumed, or the store is said to be away: the state is not taken for
// damaged.
func TestBrokenStateRead(t *testing.T) {
	p := content(11, 3000)
	d := digest.FromBytes(p)
	for _, times := range []int{1, 100} {
		for at := int64(0); at < 1900; at += 41 {
			b := newBucket(t)
			repo := newRepository(t, newStore(t, b), "team/app")
			id := patch(t, repo, begin(t, repo), p[:1000])
			var script fault.Script
			for i := range times {
				script = append(script, fault.Rule{Op: driver.OpOpen, Key: "*/s/*", Nth: i + 1, Where: fault.MidBody, Offset: at, Err: io.ErrUnexpectedEOF})
			}
			o := options()
			o.Retry.Base, o.Retry.Total = 1000, 1000_000
			err := sendPUT(newRepository(t, newStoreWith(t, fault.Wrap(b, script), o), "team/app"), id, d, p[1000:])
			switch {
			case times == 1 && err != nil:
				t.Errorf("broken once at byte %d: %v", at, err)
			case errors.Is(err, blobstore.ErrBadState) || errors.Is(err, driver.Corrupt):
				t.Errorf("broken at byte %d: %v", at, err)
			}
			if err := sendPUT(repo, id, d, p[1000:]); err != nil {
				t.Errorf("broken at byte %d: afterwards: %v", at, err)
			}
		}
	}
}
