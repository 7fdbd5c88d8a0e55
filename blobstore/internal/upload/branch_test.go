package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestVerdictOnBranch has two requests go on from one state. The verdict on one of them ends
// nothing that the other needs, be it a piece or the bytes in a state.
func TestVerdictOnBranch(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "plain"} {
		for _, base := range []int{100, 2 * testPart, 2*testPart + 100, 5*testPart + 100} {
			for _, next := range []int{10, 2*testPart + 10} {
				for _, many := range []int{0, maxAncestors + 3} {
					t.Run(fmt.Sprintf("%s/%d+%d, %d states", store, base, next, many), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							e, b, _ := on(t, store, pass)
							head := bytesOf(base, 1)
							id := patch(t, e, post(t, e), head)
							for i := range many {
								id = patch(t, e, id, []byte{byte(i)})
								head = append(head, byte(i))
							}
							one, two := bytesOf(next, 2), bytesOf(next, 3)
							idOne, idTwo := patch(t, e, id, one), patch(t, e, id, two)
							if err := put(t, e, idOne, digest.FromString("other"), nil); !errors.As(err, new(*Verdict)) {
								t.Fatalf("PUT: %v, want a verdict", err)
							}
							time.Sleep(time.Minute)
							if _, err := e.Status(t.Context(), "repo", idOne); !errors.Is(err, ErrUnknown) {
								t.Errorf("status of the branch that ended: %v", err)
							}
							content := slices.Concat(head, two)
							fresh := New(b, testOptions(memory.New(1<<20))) // nothing is in its memory
							if err := put(t, fresh, idTwo, digest.FromBytes(content), nil); err != nil {
								t.Fatalf("PUT of the other branch: %v", err)
							}
							wantBlob(t, b, content)
							wantNothingLeft(t, b, e, fresh)
						})
					})
				}
			}
		}
	}
}

// TestLostCheckpoint loses the answer to a state that is written on the way, and has the
// body break then. A status request may have found the state: its pieces stay.
func TestLostCheckpoint(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		for _, end := range []string{"no more states", "verdict", "close", "verdict at once"} {
			t.Run(store+"/"+end, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var states atomic.Int32
					e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
						if c.Op == driver.OpPut && isState(c.Key) {
							if states.Add(1) == 1 {
								return lostReply(ctx, c, next)
							}
							return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
						}
						return next(ctx)
					})
					content := bytesOf(5*testPart+100, 1)
					id := post(t, e)
					w, err := e.Resume(t.Context(), "repo", id, Request{Length: int64(len(content))})
					if err != nil {
						t.Fatal(err)
					}
					if end == "verdict at once" {
						if _, err := w.Write(content); err != nil {
							t.Fatalf("Write: %v", err)
						}
						if _, err := w.Commit(t.Context(), digest.FromString("other"), 0); !errors.Is(err, ErrConflict) {
							t.Errorf("Commit: %v, want ErrConflict", err)
						}
					} else if _, err := w.ReadFrom(bytes.NewReader(content)); !errors.Is(err, driver.Denied) {
						t.Fatalf("PATCH: %v", err)
					}
					switch end {
					case "verdict":
						// This request has sent the wrong content. The earlier bytes are
						// a beginning that another request may go on from.
						if _, err := w.Commit(t.Context(), digest.FromString("other"), 0); err == nil {
							t.Error("committed")
						}
					case "close":
						if err := w.Close(); err != nil {
							t.Error(err)
						}
					}
					_ = w.Close()
					time.Sleep(time.Minute)
					p, err := e.Status(t.Context(), "repo", id)
					if err != nil || p.Size != 3*testPart {
						t.Fatalf("status: %+v, %v", p, err)
					}
					fresh := closed(t, New(b, testOptions(memory.New(1<<20))))
					if err := put(t, fresh, p.ID, digest.FromBytes(content), content[p.Size:]); err != nil {
						t.Errorf("PUT from the checkpoint: %v", err)
					}
					wantBlob(t, b, content)
				})
			})
		}
	}
}

// TestCommitsOfTwoReplicas has two replicas end one upload at the same time: with other bytes of the
// same length, or with the same. The second runs while the first makes each of its calls,
// before or after the store has carried it out, or loses the answer to it.
func TestCommitsOfTwoReplicas(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "azure", "plain"} {
		for _, head := range []int{100, 2 * testPart, 2*testPart + 100} {
			for _, rest := range []int{0, 10, 2*testPart + 10} {
				for _, how := range []string{"before", "after", "lost"} {
					t.Run(fmt.Sprintf("%s/%d+%d/%s", store, head, rest, how), func(t *testing.T) {
						for _, same := range []bool{true, false} {
							for n, more := 1, true; more && (same || rest > 0); n++ {
								synctest.Test(t, func(t *testing.T) { more = twoCommits(t, store, head, rest, how, same, n) })
								if t.Failed() {
									t.Fatalf("the same bytes %t, call %d", same, n)
								}
							}
						}
					})
				}
			}
		}
	}
}

func twoCommits(t *testing.T, store string, head, rest int, how string, same bool, n int) bool {
	calls := &nth{n: n}
	var id string
	var second *Engine
	var secondErr error
	h, one, two := bytesOf(head, 1), bytesOf(rest, 2), bytesOf(rest, 3)
	if same {
		two = one
	}
	contentOne, contentTwo := slices.Concat(h, one), slices.Concat(h, two)
	runSecond := func() {
		calls.arm(false)
		secondErr = put(t, second, id, digest.FromBytes(contentTwo), two)
	}
	first, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if calls.next() != 0 {
			return next(ctx)
		}
		switch how {
		case "before":
			runSecond()
			return next(ctx)
		case "after":
			err := next(ctx)
			runSecond()
			return err
		default:
			err := lostReply(ctx, c, next)
			runSecond()
			return err
		}
	})
	second = New(b, testOptions(memory.New(1<<20)))
	id = patch(t, first, post(t, first), h)
	calls.arm(true)
	firstErr := put(t, first, id, digest.FromBytes(contentOne), one)
	calls.arm(false)
	done := calls.came()
	for i, err := range []error{firstErr, secondErr} {
		if errors.As(err, new(*Verdict)) || errors.Is(err, ErrConflict) {
			t.Errorf("PUT %d: %v, and the digest is right", i+1, err)
		}
	}
	if done && firstErr != nil && secondErr != nil {
		t.Errorf("both fail: %v; %v", firstErr, secondErr)
	}
	wantNoBlob(t, b, digest.FromBytes(contentOne))
	wantNoBlob(t, b, digest.FromBytes(contentTwo))
	if firstErr == nil {
		wantBlob(t, b, contentOne)
	}
	if done && secondErr == nil {
		wantBlob(t, b, contentTwo)
	}
	if same {
		for i, e := range []*Engine{first, second} {
			if err := put(t, e, id, digest.FromBytes(contentOne), one); err != nil {
				t.Errorf("PUT again, on replica %d: %v", i+1, err)
			}
		}
		wantBlob(t, b, contentOne)
	}
	wantNothingLeft(t, b, first, second)
	return done
}

// TestOrphan has a process die at each call of a push, on a store that lists multipart
// uploads by their exact key alone. Sweeps find what it has left at the digest's key, also
// when the client pushes again elsewhere, or deletes the upload.
func TestOrphan(t *testing.T) {
	for _, shape := range shapes {
		for _, then := range []string{"nothing", "again", "delete"} {
			t.Run(shape.name+"/"+then, func(t *testing.T) {
				for n, more := 1, true; more; n++ {
					synctest.Test(t, func(t *testing.T) {
						o := small(mem.Imitations()["minio"])
						b := driver.WithFeatures(mem.NewWith(o), func(f *driver.Features) { f.UploadsByKey = true })
						calls := &nth{n: n}
						dying := New(driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
							left := calls.next()
							if left > 0 {
								return next(ctx)
							}
							if left == 0 && n%2 == 0 {
								_ = next(ctx)
							}
							return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
						}), testOptions(memory.New(1<<20)))
						other := New(b, testOptions(memory.New(1<<20)))
						id, content, rest := shape.send(t, dying, post(t, dying))
						d := digest.FromBytes(content)
						calls.arm(true)
						_ = put(t, dying, id, d, rest)
						_ = dying.Close(t.Context())
						more = calls.came()
						switch then {
						case "again":
							if err := put(t, other, id, d, rest); err != nil {
								t.Error(err)
							}
						case "delete":
							if w, err := other.Resume(t.Context(), "repo", id, Request{Length: -1}); err == nil {
								if err := w.Cancel(t.Context()); err != nil {
									t.Error(err)
								}
							}
						}
						wantNothingLeft(t, b, dying, other)
					})
					if t.Failed() {
						t.Fatalf("call %d", n)
					}
				}
			})
		}
	}
}
