package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// shape is how content gets to its last request: the sizes of the PATCHes before, and of
// the PUT's body.
type shape struct {
	name    string
	patches []int
	body    int
}

// send sends the PATCHes of an upload. content is that of the whole upload, rest the body of
// the PUT, which is to come.
func (s shape) send(t testing.TB, e *Engine, id string) (next string, content, rest []byte) {
	t.Helper()
	for i, size := range s.patches {
		p := bytesOf(size, uint64(i))
		id, content = patch(t, e, id, p), append(content, p...)
	}
	rest = bytesOf(s.body, 9)
	return id, append(content, rest...), rest
}

// open sends all of a new upload; a Commit of d is to come.
func (s shape) open(t testing.TB, e *Engine) (w *Writer, d digest.Digest, content []byte) {
	t.Helper()
	id, content, rest := s.send(t, e, post(t, e))
	d = digest.FromBytes(content)
	w, err := e.Resume(t.Context(), "repo", id, Request{Length: int64(len(rest)), Final: true, Digest: d})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ReadFrom(bytes.NewReader(rest)); err != nil {
		t.Fatal(err)
	}
	return w, d, content
}

var shapes = []shape{
	{"one small PUT", nil, 100},
	{"one large PUT", nil, 3*testPart + 100},
	{"a large PATCH", []int{3*testPart + 100}, 0},
	{"a large PATCH and a PUT", []int{2*testPart + 100}, testPart + 100},
	{"small PATCHes", []int{100, 200}, 50},
	{"small PATCHes and a large PUT", []int{100, 200}, 2 * testPart},
	{"no bytes", nil, 0},
}

// faults are what can happen to one call.
var faults = map[string]func(ctx context.Context, c *driver.Call, next func(context.Context) error, cancel context.CancelFunc) error{
	"reply lost": func(ctx context.Context, c *driver.Call, next func(context.Context) error, _ context.CancelFunc) error {
		return lostReply(ctx, c, next)
	},
	"refused": func(_ context.Context, c *driver.Call, _ func(context.Context) error, _ context.CancelFunc) error {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
	},
	"not sent": func(_ context.Context, c *driver.Call, _ func(context.Context) error, _ context.CancelFunc) error {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable}
	},
	"client gone": func(ctx context.Context, c *driver.Call, next func(context.Context) error, cancel context.CancelFunc) error {
		cancel()
		return next(ctx)
	},
	"timeout": func(_ context.Context, c *driver.Call, _ func(context.Context) error, _ context.CancelFunc) error {
		return driver.NewError(c.Op, c.Key, context.DeadlineExceeded)
	},
}

// TestCommitEveryCall has each call of a PUT fail in each way, in turn. As distribution
// does, the client's handler cancels the upload then. The PUT that comes again succeeds, on
// the same replica and on another one, and nothing is left in the end.
func TestCommitEveryCall(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "azure", "plain"} {
		for _, shape := range shapes {
			for name, fault := range faults {
				t.Run(fmt.Sprintf("%s/%s/%s", store, shape.name, name), func(t *testing.T) {
					for n, more := 1, true; more; n++ {
						synctest.Test(t, func(t *testing.T) {
							o := small(mem.Imitations()[store])
							o.KeyInterval = 0
							b := driver.WithFeatures(mem.NewWith(o), func(f *driver.Features) { f.UploadsByKey = f.Concat == nil })
							calls := &nth{n: n}
							ctx, cancel := context.WithCancel(t.Context())
							defer cancel()
							hooked := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
								if calls.next() != 0 {
									return next(ctx)
								}
								return fault(ctx, c, next, cancel)
							})
							one, two := New(hooked, testOptions(memory.New(1<<20))), New(b, testOptions(memory.New(1<<20)))
							id, content, rest := shape.send(t, one, post(t, one))
							d := digest.FromBytes(content)
							time.Sleep(time.Minute) // no cleanup is counted but the PUT's
							calls.arm(true)
							err := putWithin(ctx, one, id, d, rest)
							if errors.As(err, new(*Verdict)) || errors.Is(err, ErrUnknown) || errors.Is(err, ErrGone) {
								t.Errorf("call %d: the first PUT is refused for good: %v", n, err)
							}
							time.Sleep(time.Minute)
							calls.arm(false)
							more = calls.came()
							for i, e := range []*Engine{one, two} {
								if err := put(t, e, id, d, rest); err != nil {
									t.Errorf("call %d (%v): PUT again, on replica %d: %v", n, err, i+1, err)
								}
							}
							wantBlob(t, b, content)
							wantNothingLeft(t, b, one, two)
						})
						if t.Failed() {
							t.FailNow()
						}
					}
				})
			}
		}
	}
}

// putWithin is put with a context, as a handler of distribution's does it for a client.
func putWithin(ctx context.Context, e *Engine, id string, d digest.Digest, p []byte) error {
	w, err := e.Resume(ctx, "repo", id, Request{Length: int64(len(p)), Final: true, Digest: d, HTTP: true})
	if err != nil {
		return err
	}
	if len(p) > 0 {
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	_, err = w.Commit(ctx, d, 0)
	if err != nil {
		_ = w.Cancel(ctx)
	}
	return errors.Join(err, w.Close())
}

// wantNothingLeft closes the engines and sweeps: no object of an upload is left then, and no
// multipart upload.
func wantNothingLeft(t *testing.T, b driver.Bucket, engines ...*Engine) {
	t.Helper()
	for _, e := range engines {
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if u := e.budget.Usage(); u.Used != 0 || u.Holders != 0 {
			t.Errorf("memory is held: %+v", u)
		}
	}
	time.Sleep(time.Hour)
	e := closed(t, New(b, testOptions(memory.New(1<<20))))
	if _, err := e.Sweep(t.Context(), SweepOptions{Age: time.Minute}); err != nil {
		t.Error(err)
	}
	wantTidy(t, b, 0, 0)
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Features().UploadsByKey {
			t.Errorf("a multipart upload to %s is left", u.Key)
		}
	}
}

// TestCommitAgain has a Commit fail at each call in turn, and calls it again on the same
// Writer.
func TestCommitAgain(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "plain"} {
		for _, shape := range shapes {
			t.Run(store+"/"+shape.name, func(t *testing.T) {
				for n, more := 1, true; more; n++ {
					synctest.Test(t, func(t *testing.T) {
						calls := &nth{n: n}
						e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
							if calls.next() == 0 {
								return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
							}
							return next(ctx)
						})
						w, d, content := shape.open(t, e)
						synctest.Wait() // pieces are under way
						calls.arm(true)
						_, first := w.Commit(t.Context(), d, 0)
						calls.arm(false)
						more = calls.came()
						if size, err := w.Commit(t.Context(), d, 0); first != nil && (err != nil || size != int64(len(content))) {
							t.Errorf("call %d: %v; Commit again: %d, %v", n, first, size, err)
						} else if first == nil && !errors.Is(err, ErrClosed) {
							t.Errorf("Commit after success: %v", err)
						}
						if err := w.Close(); err != nil {
							t.Error(err)
						}
						wantBlob(t, b, content)
						wantNothingLeft(t, b, e)
					})
					if t.Failed() {
						t.FailNow()
					}
				}
			})
		}
	}
}

// TestCommitSize commits content under its digest and a size.
func TestCommitSize(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		for _, shape := range shapes {
			for _, off := range []int64{0, 1, -1, 1 << 40} {
				t.Run(fmt.Sprintf("%s/%s/%+d", store, shape.name, off), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						e, b, _ := on(t, store, pass)
						w, d, content := shape.open(t, e)
						want := int64(len(content)) + off
						size, err := w.Commit(t.Context(), d, want)
						_ = w.Close()
						// The zero descriptor's size says nothing.
						if off == 0 || want <= 0 {
							if err != nil || size != int64(len(content)) {
								t.Errorf("Commit: %d, %v", size, err)
							}
							wantBlob(t, b, content)
							return
						}
						var v *Verdict
						if !errors.As(err, &v) || v.Size != int64(len(content)) {
							t.Errorf("Commit of %d bytes as %d: %v, want a verdict", len(content), want, err)
						}
						if _, err := b.Stat(t.Context(), e.layout.Blob(d)); !errors.Is(err, driver.NotFound) {
							t.Errorf("blob: %v", err)
						}
						time.Sleep(time.Minute)
						wantTidy(t, b, len(content), 0)
					})
				})
			}
		}
	}
}

// TestReplacesWrongSize publishes where a truncated blob lies, and where a larger one does.
func TestReplacesWrongSize(t *testing.T) {
	for store := range mem.Imitations() {
		for _, shape := range shapes {
			for _, bad := range []string{"", "x", "much longer than a hundred bytes, which is what the smallest of the blobs has that are pushed here: truncation isn't all"} {
				t.Run(fmt.Sprintf("%s/%s/%d", store, shape.name, len(bad)), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						e, b, _ := on(t, store, pass)
						id, content, rest := shape.send(t, e, post(t, e))
						d := digest.FromBytes(content)
						plant := func() {
							if _, err := b.Put(t.Context(), e.layout.Blob(d), section(bad), driver.WriteOptions{}); err != nil {
								t.Fatal(err)
							}
						}
						plant()
						if err := put(t, e, id, d, rest); err != nil {
							t.Fatal(err)
						}
						wantBlob(t, b, content)
						// A PUT that comes again doesn't take the truncated blob for its own.
						time.Sleep(time.Minute)
						plant()
						if err := put(t, e, id, d, rest); err == nil {
							wantBlob(t, b, content)
						}
					})
				})
			}
		}
	}
}

// TestRepeatedPutCached repeats a PUT whose answer was lost on a replica that has the state
// in memory: that the upload's objects are gone is no news then.
func TestRepeatedPutCached(t *testing.T) {
	for _, shape := range shapes {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%t", shape.name, down), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					failing := false
					one, b, _ := on(t, "minio", pass)
					two := closed(t, New(driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
						if failing && !isState(c.Key) {
							return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable}
						}
						return next(ctx)
					}), testOptions(memory.New(1<<20))))
					id, content := post(t, one), []byte(nil)
					for i, size := range shape.patches {
						p := bytesOf(size, uint64(i))
						id, content = patch(t, one, id, p), append(content, p...)
					}
					if w, err := two.Resume(t.Context(), "repo", id, Request{Length: -1}); err != nil || w.Size() != int64(len(content)) {
						t.Fatal(err)
					}
					rest := bytesOf(shape.body, 9)
					content = append(content, rest...)
					d := digest.FromBytes(content)
					if err := put(t, one, id, d, rest); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					failing = down
					if err := put(t, two, id, d, rest); down != errors.Is(err, driver.Unavailable) || !down && err != nil || errors.Is(err, ErrGone) {
						t.Errorf("PUT again: %v", err)
					}
					wantBlob(t, b, content)
				})
			})
		}
	}
}
