package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// TestRehashCut has a piece end early when it is read for another algorithm's digest: that
// tells nothing about the content.
func TestRehashCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := true
		e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			err := next(ctx)
			if err == nil && cut && c.Op == driver.OpOpen && strings.Contains(c.Key, "/"+piecesDir) {
				r := *c.Reader
				r.ReadCloser = io.NopCloser(io.LimitReader(r.ReadCloser, testPart-1))
				c.Reader = &r
			}
			return err
		})
		content := bytesOf(3*testPart, 1)
		d := digest.SHA512.FromBytes(content)
		id := patch(t, e, post(t, e), content)
		if err := put(t, e, id, d, nil); err == nil || errors.As(err, new(*Verdict)) {
			t.Errorf("PUT: %v", err)
		}
		cut = false
		if err := put(t, e, id, d, nil); err != nil {
			t.Errorf("PUT again: %v", err)
		}
		if _, err := b.Stat(t.Context(), e.layout.Blob(d)); err != nil {
			t.Error(err)
		}
	})
}

// TestForeignState has a state name objects of another upload: it can neither make them
// content nor have them removed.
func TestForeignState(t *testing.T) {
	for name, edit := range map[string]func(mine, other *header){
		"piece":     func(mine, other *header) { mine.Pieces = other.Pieces[:1] },
		"reference": func(mine, other *header) { mine.Refs = []ref{{Key: other.Pieces[0].Key, Size: testPart}} },
		"ancestor": func(mine, other *header) {
			mine.Pieces[0].Size = testPart
			mine.Ancestors = []driver.ObjectRef{{Key: other.Pieces[0].Key}}
		},
		"blob": func(mine, _ *header) { mine.Pieces[0].Key = "root/blobs/sha256/aa/aaa/data" },
	} {
		synctest.Test(t, func(t *testing.T) {
			e, b, _ := on(t, "minio", pass)
			content := bytesOf(2*testPart, 1)
			i, j := idOf(t, e, patch(t, e, post(t, e), content)), idOf(t, e, patch(t, e, post(t, e), content))
			load := func(i id) *state {
				st, err := e.load(t.Context(), e.folder("repo", i.uuid), "repo", i)
				if err != nil {
					t.Fatal(err)
				}
				return st
			}
			mine, other := load(i), load(j)
			edit(&mine.header, &other.header)
			h := mine.header
			h.Offset, h.Body = h.sum()-h.Body, 0
			head, err := h.encode()
			if err != nil {
				t.Fatal(err)
			}
			i.offset = h.Offset
			if _, err := b.Put(t.Context(), i.stateKey(mine.folder), section(string(head)), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			fresh := closed(t, New(b, testOptions(memory.New(1<<20))))
			if _, err := fresh.Resume(t.Context(), "repo", i.String(), Request{Length: -1}); !errors.Is(err, ErrBadState) {
				t.Errorf("%s: %v, want %v", name, err, ErrBadState)
			}
		})
	}
}

// TestReplacesWrongSizeCached has another PUT's blob be truncated, when the upload's objects
// are gone and the state is in memory.
func TestReplacesWrongSizeCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, b, _ := on(t, "minio", pass)
		two := closed(t, New(b, testOptions(memory.New(1<<20))))
		content := bytesOf(100, 1)
		d := digest.FromBytes(content)
		id := patch(t, one, post(t, one), content)
		if _, err := two.Resume(t.Context(), "repo", id, Request{Length: -1}); err != nil {
			t.Fatal(err)
		}
		if err := put(t, one, id, d, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := b.Put(t.Context(), one.layout.Blob(d), section("cut"), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := put(t, two, id, d, nil); !errors.Is(err, ErrGone) {
			t.Errorf("PUT again: %v", err)
		}
	})
}

// TestHotLink links a digest that many link at the same time: the store refuses the write,
// and the right content is there. Other content there is no success.
func TestHotLink(t *testing.T) {
	for _, kind := range []driver.Kind{driver.Throttled, driver.Exists, driver.Mismatch} {
		for _, there := range []string{"", "other", "right"} {
			synctest.Test(t, func(t *testing.T) {
				d := digest.FromString("x")
				var e *Engine
				e, b, _ := on(t, "gcs", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					if c.Op == driver.OpPut && c.Key == e.layout.LayerLink("repo", d) {
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: kind, KeyOnly: kind == driver.Throttled}
					}
					return next(ctx)
				})
				if there != "" {
					target := map[string]string{"other": digest.FromString("y").String(), "right": d.String()}[there]
					if _, err := b.Put(t.Context(), e.layout.LayerLink("repo", d), section(target), driver.WriteOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				err := put(t, e, post(t, e), d, []byte("x"))
				if there == "right" && err != nil || there != "right" && !errors.Is(err, kind) {
					t.Errorf("%v, %q there: %v", kind, there, err)
				}
			})
		}
	}
}

// TestGoneMeanwhile deletes the blob while the body of another push of it is hashed and not
// sent: the client is told to come again.
func TestGoneMeanwhile(t *testing.T) {
	for _, instead := range []string{"", "cut"} {
		synctest.Test(t, func(t *testing.T) {
			content := bytesOf(3*testPart, 1)
			d := digest.FromBytes(content)
			var e *Engine
			var b driver.Bucket
			deleting := false
			e, b, _ = on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if deleting && c.Key == e.layout.LayerLink("repo", d) {
					if err := b.Delete(ctx, e.layout.Blob(d), driver.DeleteOptions{}); err != nil {
						t.Error(err)
					}
					if instead != "" {
						if _, err := b.Put(ctx, e.layout.Blob(d), section(instead), driver.WriteOptions{}); err != nil {
							t.Error(err)
						}
					}
				}
				return next(ctx)
			})
			if err := put(t, e, post(t, e), d, content); err != nil {
				t.Fatal(err)
			}
			id := post(t, e)
			deleting = true
			if err := put(t, e, id, d, content); !errors.Is(err, driver.Unavailable) {
				t.Errorf("PUT: %v, want %v", err, driver.Unavailable)
			}
			deleting = false
			if err := put(t, e, id, d, content); err != nil {
				t.Error(err)
			}
			wantBlob(t, b, content)
		})
	}
}

// TestTimedOutPut has the client hang up while pieces are joined: that goes on, and the
// client that comes again finds the blob.
func TestTimedOutPut(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == driver.OpConcat || c.Op == driver.OpCompleteUpload {
					hangUp()
					select {
					case <-time.After(5 * time.Second):
					case <-ctx.Done():
						return driver.NewError(c.Op, c.Key, ctx.Err())
					}
				}
				return next(ctx)
			})
			content := bytesOf(3*testPart, 1)
			id := patch(t, e, post(t, e), content)
			if err := putWithin(ctx, e, id, digest.FromBytes(content), nil); err != nil {
				t.Errorf("%s: the PUT that was given up: %v", store, err)
			}
			wantBlob(t, b, content)
			if err := put(t, e, id, digest.FromBytes(content), nil); err != nil {
				t.Errorf("%s: PUT again: %v", store, err)
			}
		})
	}
}

// TestFailedPiece has each piece of a PATCH fail in turn. The bytes before it are persisted.
func TestFailedPiece(t *testing.T) {
	content := bytesOf(6*testPart+100, 1)
	for n := 1; n <= 6; n++ {
		synctest.Test(t, func(t *testing.T) {
			var pieces atomic.Int32
			e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == driver.OpPut && strings.Contains(c.Key, "/"+piecesDir) {
					if int(pieces.Add(1)) == n {
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
					}
				}
				return next(ctx)
			})
			id := post(t, e)
			w, err := e.Resume(t.Context(), "repo", id, Request{Length: int64(len(content))})
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.ReadFrom(&spillingReader{bytes.NewReader(content), synctest.Wait})
			if !errors.Is(err, driver.Denied) {
				t.Fatalf("PATCH: %v", err)
			}
			if want := int64(n-1) * testPart; w.Size() != want {
				t.Errorf("piece %d failed, and %d bytes are persisted, want %d", n, w.Size(), want)
			}
			_ = w.Close()
			time.Sleep(time.Minute)
			p, err := e.Status(t.Context(), "repo", id)
			if err != nil || p.Size != int64(n-1)*testPart {
				t.Fatalf("status: %+v, %v", p, err)
			}
			if err := put(t, e, p.ID, digest.FromBytes(content), content[p.Size:]); err != nil {
				t.Errorf("PUT of the rest: %v", err)
			}
			wantBlob(t, b, content)
		})
	}
}

// TestPatchAfterDelete deletes an upload at its first id on one replica, and goes on from
// the same id on each.
func TestPatchAfterDelete(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			one, b, _ := on(t, "minio", pass)
			two := closed(t, New(b, testOptions(memory.New(1<<20))))
			first := post(t, one)
			id := patch(t, one, first, []byte("some"))
			w, err := one.Resume(t.Context(), "repo", id, Request{Length: -1})
			if elsewhere {
				w, err = two.Resume(t.Context(), "repo", id, Request{Length: -1})
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Cancel(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The replica that has begun an upload looks for no mark of others.
			replicas := []*Engine{two}
			if !elsewhere {
				replicas = append(replicas, one)
			}
			for i, e := range replicas {
				for _, id := range []string{first, id} {
					w, err := e.Resume(t.Context(), "repo", id, Request{Length: -1, HTTP: true})
					if err == nil {
						_, err = w.ReadFrom(strings.NewReader("more"))
						_ = w.Close()
					}
					if !errors.Is(err, ErrUnknown) {
						t.Errorf("replica %d: PATCH of %s after DELETE: %v", i, id, err)
					}
				}
			}
		})
	}
}

// TestAbortedUpload has somebody else abort the multipart upload of a large PUT, as rules of
// a bucket do. Nothing is wrong with the client's upload: it is told to come again.
func TestAbortedUpload(t *testing.T) {
	for _, at := range []driver.Op{driver.OpPutPart, driver.OpCompleteUpload} {
		synctest.Test(t, func(t *testing.T) {
			content := bytesOf(5*testPart, 1)
			d := digest.FromBytes(content)
			var abort sync.Once
			var b driver.Bucket
			e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
				if c.Op == at {
					abort.Do(func() {
						for u, err := range driver.ListUploads(ctx, b, driver.ListRequest{}) {
							if err := errors.Join(err, b.Features().Uploads.AbortUpload(ctx, u)); err != nil {
								t.Error(err)
							}
						}
					})
				}
				return next(ctx)
			})
			id := post(t, e)
			if err := put(t, e, id, d, content); !errors.Is(err, driver.Unavailable) || errors.Is(err, ErrGone) || errors.Is(err, driver.NotFound) {
				t.Errorf("aborted at %s: %v, want %v", at, err, driver.Unavailable)
			}
			if err := put(t, e, id, d, content); err != nil {
				t.Errorf("PUT again: %v", err)
			}
			wantBlob(t, b, content)
		})
	}
}

// TestOvertaken has another push of the same content end while this one sends its parts, on a store
// where that takes them away: this one's client is told that the content is there, too.
func TestOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := bytesOf(5*testPart, 1)
		d := digest.FromBytes(content)
		var begun atomic.Bool
		var e *Engine
		e, b, _ := on(t, "azure", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpPutPart && c.Part == 2 && !begun.Swap(true) {
				if err := put(t, e, post(t, e), d, content); err != nil {
					t.Errorf("the other: %v", err)
				}
			}
			return next(ctx)
		})
		if err := put(t, e, post(t, e), d, content); err != nil {
			t.Errorf("overtaken: %v", err)
		}
		wantBlob(t, b, content)
	})
}

// TestLostCompletion loses the reply to a completion, and cannot look what has become of it:
// the upload is not aborted then, which on some stores takes away what was completed.
func TestLostCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := bytesOf(5*testPart, 1)
		d := digest.FromBytes(content)
		down, aborts := false, 0
		e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			switch {
			case c.Op == driver.OpCompleteUpload:
				down = true
				return lostReply(ctx, c, next)
			case c.Op == driver.OpStat && down:
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
			case c.Op == driver.OpAbortUpload:
				aborts++
			}
			return next(ctx)
		})
		if err := put(t, e, post(t, e), d, content); !errors.Is(err, driver.Denied) {
			t.Errorf("PUT: %v", err)
		}
		time.Sleep(time.Minute)
		if aborts > 0 {
			t.Error("the upload was aborted")
		}
		if _, err := b.Stat(t.Context(), e.layout.Blob(d)); err != nil {
			t.Error(err)
		}
	})
}
