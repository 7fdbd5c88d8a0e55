package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
)

// on is an engine on the imitation of a store, with the calls in between that hook changes.
func on(t *testing.T, store string, hook func(ctx context.Context, c *driver.Call, next func(context.Context) error) error) (*Engine, driver.Bucket, *memory.Budget) {
	o := small(mem.Imitations()[store])
	o.KeyInterval = 0
	b := mem.NewWith(o)
	budget := memory.New(1 << 20)
	return closed(t, New(driver.Wrap(b, hook), testOptions(budget))), b, budget
}

// closed closes e at the end of the test.
func closed(t *testing.T, e *Engine) *Engine {
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	return e
}

func pass(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
	return next(ctx)
}

func isState(key string) bool { return strings.Contains(key, "/"+statesDir) }

// lostReply fails a call that was carried out.
func lostReply(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
	_ = next(ctx)
	return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: true}
}

// wantNoBlob finds nothing under d but what has it.
func wantNoBlob(t *testing.T, b driver.Bucket, d digest.Digest) {
	t.Helper()
	l := layout.Layout{Root: "root"}
	rd, err := b.Open(t.Context(), l.Blob(d), driver.Range{}, driver.ReadOptions{})
	if errors.Is(err, driver.NotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	if got, err := d.Algorithm().FromReader(rd); err != nil || got != d {
		t.Errorf("%s holds other content: %s, %v", d, got, err)
	}
}

// TestCommitAfterClose has the PUT's bytes lost by Close before Commit.
func TestCommitAfterClose(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "plain"} {
		for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			for _, size := range []int{5, 2*testPart + 5} {
				for _, final := range []bool{true, false} {
					synctest.Test(t, func(t *testing.T) {
						e, b, budget := on(t, store, pass)
						content := bytesOf(size, 1)
						d := alg.FromBytes(content)
						w, err := e.Resume(t.Context(), "repo", post(t, e), Request{Length: -1, Digest: d, Final: final})
						if err != nil {
							t.Fatal(err)
						}
						if _, err := w.ReadFrom(bytes.NewReader(content)); err != nil {
							t.Fatal(err)
						}
						w.Digest() // all of it is hashed
						if err := w.Close(); err != nil {
							t.Fatal(err)
						}
						_, err = w.Commit(t.Context(), d, 0)
						// A piece that was under way tells that it was given up.
						if final && !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) || !final && err != nil {
							t.Errorf("%s, %d bytes, final %t: Commit after Close: %v", store, size, final, err)
						}
						wantNoBlob(t, b, d)
						if _, err := w.Write([]byte("x")); !errors.Is(err, ErrClosed) {
							t.Errorf("Write after Close: %v", err)
						}
						if n, err := w.ReadFrom(strings.NewReader("x")); n != 0 || !errors.Is(err, ErrClosed) {
							t.Errorf("ReadFrom after Close: %d, %v", n, err)
						}
						if err := e.Close(t.Context()); err != nil {
							t.Fatal(err)
						}
						if u := budget.Usage(); u.Used != 0 || u.Holders != 0 {
							t.Errorf("%+v", u)
						}
					})
				}
			}
		}
	}
}

// TestLostState loses the answer to the state that a PATCH ends with: the client asks how
// far the upload has got, and goes on from there.
func TestLostState(t *testing.T) {
	for _, size := range []int{100, 2*testPart + 100, 5*testPart + 100} {
		synctest.Test(t, func(t *testing.T) {
			var states, lose int
			e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == driver.OpPut && isState(c.Key) {
					if states++; states == lose {
						return lostReply(ctx, c, next)
					}
				}
				return next(ctx)
			})
			content := bytesOf(size, 1)
			for lose = 1; ; lose++ {
				states = 0
				id := post(t, e)
				w, err := e.Resume(t.Context(), "repo", id, Request{Length: int64(size)})
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.ReadFrom(bytes.NewReader(content))
				if got, want := w.Size(), w.state.header.Offset; got != want {
					t.Errorf("size %d, and %d bytes are persisted (%v)", got, want, err)
				}
				_ = w.Close()
				if states < lose {
					break
				}
				time.Sleep(time.Minute) // the cleanup
				p, err := e.Status(t.Context(), "repo", id)
				if err != nil {
					t.Fatal(err)
				}
				if err := put(t, e, p.ID, digest.FromBytes(content), content[p.Size:]); err != nil {
					t.Errorf("%d bytes, state %d lost: status told of %d, then PUT: %v", size, lose, p.Size, err)
					continue
				}
				wantBlob(t, b, content)
			}
		})
	}
}

// TestFailedState has checkpoints succeed and the last state fail.
func TestFailedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := bytesOf(5*testPart, 1)
		states := 0
		e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpPut && isState(c.Key) {
				if states++; states > 1 {
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
				}
			}
			return next(ctx)
		})
		id := post(t, e)
		w, err := e.Resume(t.Context(), "repo", id, Request{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(content)); !errors.Is(err, driver.Denied) {
			t.Fatalf("PATCH: %v", err)
		}
		_ = w.Close()
		time.Sleep(time.Minute)
		p, err := e.Status(t.Context(), "repo", id)
		if err != nil || p.Size != 3*testPart {
			t.Fatalf("%+v, %v; want the checkpoint", p, err)
		}
		if err := put(t, e, p.ID, digest.FromBytes(content), content[p.Size:]); err != nil {
			t.Fatal(err)
		}
		wantBlob(t, b, content)
	})
}

// TestLateSpill has the budget's call come when the body goes to the digest's key already.
// The memory is given back, unless the store refuses the bytes, and they are parts in the end.
func TestLateSpill(t *testing.T) {
	for _, refuse := range []int{1, 2, 1000} { // each so manieth piece
		synctest.Test(t, func(t *testing.T) {
			pieces := 0
			e, b, budget := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == driver.OpPut && strings.Contains(c.Key, "/"+piecesDir) {
					if pieces++; pieces%refuse == 0 {
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable}
					}
				}
				return next(ctx)
			})
			content, id := bytesOf(5*testPart+100, 1), post(t, e)
			d := digest.FromBytes(content)
			w, err := e.Resume(t.Context(), "repo", id, Request{Length: int64(len(content)), Digest: d, Final: true})
			if err != nil {
				t.Fatal(err)
			}
			r := &spillingReader{r: bytes.NewReader(content), spill: func() {
				if w.direct != nil {
					w.spill()
					synctest.Wait() // parts are stored
					if used := budget.Usage().Used; refuse == 1000 && used > 0 {
						t.Errorf("%d bytes are held after the spill", used)
					}
					if p, err := e.Status(t.Context(), "repo", id); err != nil || p.Size != 0 {
						t.Errorf("status tells of %d bytes, which nobody can go on from, %v", p.Size, err)
					}
				}
			}}
			if _, err := w.ReadFrom(r); err != nil {
				t.Fatal(err)
			}
			if w.direct == nil {
				t.Fatal("the body does not go to the digest's key")
			}
			if _, err := w.Commit(t.Context(), d, 0); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			wantBlob(t, b, content)
			wantNothingLeft(t, b, e)
		})
	}
}

// spillingReader calls spill before each few bytes.
type spillingReader struct {
	r     io.Reader
	spill func()
}

func (s *spillingReader) Read(p []byte) (int, error) {
	s.spill()
	return s.r.Read(p[:min(len(p), testPart/3)])
}

// TestSpillAlways spills before each read, in all kinds of pushes.
func TestSpillAlways(t *testing.T) {
	for store := range mem.Imitations() {
		for _, final := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				e, b, _ := on(t, store, pass)
				content := bytesOf(20*testPart+100, 1)
				d := digest.FromBytes(content)
				w, err := e.Resume(t.Context(), "repo", post(t, e), Request{Length: -1, Digest: d, Final: final})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.ReadFrom(&spillingReader{bytes.NewReader(content), w.spill}); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Commit(t.Context(), d, 0); err != nil {
					t.Fatal(err)
				}
				wantBlob(t, b, content)
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantTidy(t, b, len(content), 0)
			})
		}
	}
}

// TestPublishedOtherDigest repeats a PUT whose answer was lost, and commits something else.
func TestPublishedOtherDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := on(t, "minio", pass)
		content := bytesOf(100, 1)
		d := digest.FromBytes(content)
		id := patch(t, e, post(t, e), content)
		if err := put(t, e, id, d, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for _, tt := range []struct {
			d    digest.Digest
			want int64
			ok   bool
		}{{d, 0, true}, {d, 100, true}, {d, 99, false}, {digest.FromString("other"), 0, false}} {
			w, err := e.Resume(t.Context(), "repo", id, Request{Digest: d, Final: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(t.Context(), tt.d, tt.want); (err == nil) != tt.ok {
				t.Errorf("Commit(%s, %d): %v", tt.d, tt.want, err)
			}
		}
	})
}

// TestRepeatedPutOutage repeats a PUT that had succeeded, while the store is down: the
// answer is not that the upload is unknown.
func TestRepeatedPutOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		e, _, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if down.Load() && !isState(c.Key) {
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable}
			}
			return next(ctx)
		})
		content := bytesOf(100, 1)
		id := patch(t, e, post(t, e), content)
		if err := put(t, e, id, digest.FromBytes(content), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		down.Store(true)
		if err := put(t, e, id, digest.FromBytes(content), nil); !errors.Is(err, driver.Unavailable) || errors.Is(err, ErrUnknown) {
			t.Errorf("repeated PUT: %v", err)
		}
	})
}

// TestSameContentTwice has two clients push the same content at once, to a store where the
// first that is done takes the other's multipart upload away.
func TestSameContentTwice(t *testing.T) {
	for store := range mem.Imitations() {
		synctest.Test(t, func(t *testing.T) {
			e, b, _ := on(t, store, pass)
			content := bytesOf(5*testPart, 1)
			d := digest.FromBytes(content)
			request := Request{Length: int64(len(content)), Digest: d, Final: true}
			slow, err := e.Resume(t.Context(), "repo", post(t, e), request)
			if err != nil {
				t.Fatal(err)
			}
			other := false
			_, err = slow.ReadFrom(&spillingReader{bytes.NewReader(content), func() {
				if !other && slow.size > 2*testPart {
					other = true
					if err := put(t, e, post(t, e), d, content); err != nil {
						t.Error(err)
					}
				}
			}})
			if err == nil {
				_, err = slow.Commit(t.Context(), d, 0)
			}
			if err != nil && !errors.Is(err, driver.Unavailable) || errors.Is(err, ErrGone) {
				t.Errorf("%s: %v, want success or an error that has the client repeat", store, err)
			}
			_ = slow.Close()
			wantBlob(t, b, content)
		})
	}
}

// TestVanishedUpload drops the multipart upload when all parts are there, as a write of the
// same content does on Azure: the content is verified and there, and only the link may lack.
func TestVanishedUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := bytesOf(5*testPart, 1)
		d := digest.FromBytes(content)
		key := layout.Layout{Root: "root"}.Blob(d)
		var b driver.Bucket
		e, inner, _ := on(t, "azure", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpCompleteUpload {
				if _, err := b.Put(ctx, key, io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content))), driver.WriteOptions{}); err != nil {
					t.Error(err)
				}
			}
			return next(ctx)
		})
		b = inner
		if err := put(t, e, post(t, e), d, content); err != nil {
			t.Error(err)
		}
		wantBlob(t, b, content)
	})
}

// TestVerdictAborts leaves no multipart upload behind.
func TestVerdictAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls counter
		o := small(mem.Imitations()["minio"])
		e := New(calls.wrap(mem.NewWith(o)), testOptions(memory.New(1<<20)))
		var v *Verdict
		if err := put(t, e, post(t, e), digest.FromString("other"), bytesOf(5*testPart, 1)); !errors.As(err, &v) {
			t.Fatalf("PUT: %v, want a verdict", err)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if calls.calls[driver.OpCreateUpload] != 1 || calls.calls[driver.OpAbortUpload] != 1 {
			t.Errorf("calls: %s", &calls)
		}
	})
}

// TestOldCachedState refuses a state that has become too old, although it is cached.
func TestOldCachedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := on(t, "minio", pass)
		id := patch(t, e, post(t, e), bytesOf(100, 1))
		time.Sleep(DefaultMaxAge - time.Hour)
		if _, err := e.Resume(t.Context(), "repo", id, Request{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if _, err := e.Resume(t.Context(), "repo", id, Request{}); !errors.Is(err, ErrUnknown) {
			t.Errorf("Resume: %v", err)
		}
	})
}

// TestSweepRace continues an upload between the sweep's listing and its removals.
func TestSweepRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var id string
		var on2 *Engine
		content := bytesOf(100, 1)
		listings := 0
		e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpList {
				if listings++; listings == 2 {
					id = patch(t, on2, id, content)
				}
			}
			return next(ctx)
		})
		on2 = closed(t, New(b, testOptions(memory.New(1<<20))))
		id = patch(t, on2, post(t, on2), content)
		time.Sleep(2 * time.Hour)
		if _, err := e.Sweep(t.Context(), SweepOptions{Age: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if listings < 2 {
			t.Fatal("nothing happened between")
		}
		if err := put(t, closed(t, New(b, testOptions(memory.New(1<<20)))), id, digest.FromBytes(append(content[:100:100], content...)), nil); err != nil {
			t.Errorf("commit: %v", err)
		}
	})
}

// TestUnequalReplicas continues an upload on a replica with other part sizes: a store that
// wants equal parts is not sent a byte twice.
func TestUnequalReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls counter
		o := small(mem.Imitations()["r2"])
		o.KeyInterval = 0
		b := mem.NewWith(o)
		sized := func(n int64) Options {
			options := testOptions(memory.New(1 << 20))
			options.PartSize, options.Copy.PartSize = n*testPart, n*testPart
			return options
		}
		one, two := closed(t, New(b, sized(3))), closed(t, New(calls.wrap(b), sized(2)))
		content := bytesOf(21*testPart, 1)
		id := patch(t, one, post(t, one), content[:3*testPart])
		id = patch(t, two, id, content[3*testPart:])
		if err := put(t, two, id, digest.FromBytes(content), nil); err != nil {
			t.Fatal(err)
		}
		wantBlob(t, b, content)
		if n := calls.calls[driver.OpPutPart]; n > 0 {
			t.Errorf("%d parts were sent again: %s", n, &calls)
		}
	})
}

// TestTooLarge sends more than the store's largest object.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := small(mem.Imitations()["minio"])
		o.Parts.MaxObject = 4 * testPart
		b := mem.NewWith(o)
		e := closed(t, New(b, testOptions(memory.New(1<<20))))
		content := bytesOf(4*testPart, 1)
		id := patch(t, e, post(t, e), content)
		for _, length := range []int64{-1, 1} {
			w, err := e.Resume(t.Context(), "repo", id, Request{Length: length})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.ReadFrom(strings.NewReader("x")); !errors.Is(err, ErrTooLarge) {
				t.Errorf("PATCH of length %d: %v", length, err)
			}
			_ = w.Close()
		}
		if err := put(t, e, id, digest.FromBytes(content), nil); err != nil {
			t.Error(err)
		}
		content = append(content, 'x')
		if err := put(t, e, post(t, e), digest.FromBytes(content), content); !errors.Is(err, ErrTooLarge) {
			t.Errorf("PUT: %v", err)
		}
	})
}

// TestWrappedEOF has a body fail with an error that wraps io.EOF: it is no end.
func TestWrappedEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := on(t, "minio", pass)
		w, err := e.Resume(t.Context(), "repo", post(t, e), Request{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		broken := &driver.Error{Kind: driver.Unavailable, Err: io.EOF}
		if _, err := w.ReadFrom(io.MultiReader(strings.NewReader("abc"), failingReader{broken})); !errors.Is(err, driver.Unavailable) || w.Size() != 3 {
			t.Errorf("ReadFrom: %v, %d bytes", err, w.Size())
		}
		_ = w.Close()
	})
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// TestBrokenDirect breaks a body that goes to the digest's key: nothing of it is kept, and
// a Commit all the same is no verdict.
func TestBrokenDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := on(t, "minio", pass)
		content := bytesOf(3*testPart, 1)
		d := digest.FromBytes(content)
		w, err := e.Resume(t.Context(), "repo", post(t, e), Request{Length: int64(len(content)), Digest: d, Final: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(bytes.NewReader(content[:2*testPart+1])); !errors.Is(err, ErrLength) || w.Size() != 0 {
			t.Errorf("ReadFrom: %v, %d bytes", err, w.Size())
		}
		var v *Verdict
		if _, err := w.Commit(t.Context(), d, 0); err == nil || errors.As(err, &v) {
			t.Errorf("Commit: %v", err)
		}
		_ = w.Close()
	})
}
