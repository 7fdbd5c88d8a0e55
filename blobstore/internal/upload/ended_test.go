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

	"github.com/blobdock/blobdock/driver"
)

// TestUseAfterEnd uses a Writer after its end in each way, twice in a row: it either goes on
// correctly or returns an error.
func TestUseAfterEnd(t *testing.T) {
	type use struct {
		name string
		run  func(context.Context, *Writer, digest.Digest) error
	}
	uses := []use{
		{"Write", func(_ context.Context, w *Writer, _ digest.Digest) error {
			_, err := w.Write([]byte("more"))
			return err
		}},
		{"ReadFrom", func(_ context.Context, w *Writer, _ digest.Digest) error {
			_, err := w.ReadFrom(bytes.NewReader(bytesOf(2*testPart, 3)))
			return err
		}},
		{"Commit", func(ctx context.Context, w *Writer, d digest.Digest) error { _, err := w.Commit(ctx, d, 0); return err }},
		{"Commit of another size", func(ctx context.Context, w *Writer, d digest.Digest) error {
			_, err := w.Commit(ctx, d, 1<<40)
			return err
		}},
		{"Commit of another digest", func(ctx context.Context, w *Writer, _ digest.Digest) error {
			_, err := w.Commit(ctx, digest.FromString("another"), 0)
			return err
		}},
		{"Cancel", func(ctx context.Context, w *Writer, _ digest.Digest) error { return w.Cancel(ctx) }},
		{"Close", func(_ context.Context, w *Writer, _ digest.Digest) error { return w.Close() }},
		{"looks", func(_ context.Context, w *Writer, _ digest.Digest) error {
			_, _, _, _ = w.ID(), w.Size(), w.Digest(), w.StartedAt()
			return nil
		}},
	}
	denied := false
	ends := []use{
		uses[6], // Close
		uses[2], // Commit
		uses[3], // verdicts
		uses[4],
		uses[5], // Cancel
		{"Commit that fails", func(ctx context.Context, w *Writer, d digest.Digest) error {
			denied = true
			defer func() { denied = false }()
			_, err := w.Commit(ctx, d, 0)
			if !errors.Is(err, driver.Denied) {
				return fmt.Errorf("Commit: %w", err)
			}
			return nil
		}},
	}
	ended := map[string]bool{"Commit": true, "Commit of another size": true, "Commit of another digest": true, "Cancel": true}
	for _, store := range []string{"minio", "gcs"} {
		for _, shape := range []shape{shapes[0], shapes[1], shapes[3], shapes[5]} {
			for _, end := range ends {
				for _, first := range uses {
					for _, second := range uses {
						t.Run(fmt.Sprintf("%s/%s/%s, %s, %s", store, shape.name, end.name, first.name, second.name), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
									if denied && c.Op != driver.OpAbortUpload {
										return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
									}
									return next(ctx)
								})
								w, d, content := shape.open(t, e)
								synctest.Wait()
								if err := end.run(t.Context(), w, d); err != nil && !errors.As(err, new(*Verdict)) {
									t.Fatalf("%s: %v", end.name, err)
								}
								before := w.ID()
								for _, u := range []use{first, second} {
									err := u.run(t.Context(), w, d)
									switch u.name {
									case "Write", "ReadFrom":
										if err == nil || errors.As(err, new(*Verdict)) {
											t.Errorf("%s: %v", u.name, err)
										}
									case "Cancel", "Close", "looks":
										if err != nil {
											t.Errorf("%s: %v", u.name, err)
										}
									default:
										if ended[end.name] && !errors.Is(err, ErrClosed) {
											t.Errorf("%s: %v, want ErrClosed", u.name, err)
										}
										if u.name != "Commit" && err == nil {
											t.Errorf("%s is a success", u.name)
										}
										if u.name == "Commit" && errors.As(err, new(*Verdict)) {
											t.Errorf("%s: %v, and the digest is right", u.name, err)
										}
										if err == nil {
											wantBlob(t, b, content)
										}
									}
								}
								if w.ID() != before {
									t.Errorf("the id changed from %s to %s", before, w.ID())
								}
								if err := w.Close(); err != nil {
									t.Errorf("Close: %v", err)
								}
								wantNoBlob(t, b, d)
								if end.name == "Commit" {
									wantBlob(t, b, content)
								}
								wantNothingLeft(t, b, e)
							})
						})
					}
				}
			}
		}
	}
}

// TestDropped drops Writers without Close, as distribution does after some of its checks:
// they hold nothing.
func TestDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, budget := on(t, "minio", pass)
		id := post(t, e)
		for _, size := range []int{0, 100, 2*testPart + 100} {
			if size > 0 {
				id = patch(t, e, id, bytesOf(size, 1))
			}
			before := budget.Usage()
			for range 10 {
				for _, r := range []Request{{Length: -1}, {Length: 10, Final: true, Digest: digest.FromString("x")}} {
					w, err := e.Resume(t.Context(), "repo", id, r)
					if err != nil {
						t.Fatal(err)
					}
					_, _, _, _ = w.ID(), w.Size(), w.Digest(), w.StartedAt()
				}
			}
			if now := budget.Usage(); now != before {
				t.Errorf("%d bytes: %+v, was %+v", size, now, before)
			}
		}
		synctest.Wait()
	})
}

// TestOldID goes on from an id that is not the newest, when the newest was committed or
// cancelled.
func TestOldID(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		for _, cached := range []bool{false, true} {
			for _, sizes := range [][2]int{{100, 100}, {2*testPart + 100, 2*testPart + 100}} {
				t.Run(fmt.Sprintf("cancel %t, cached %t, %d", cancel, cached, sizes[0]), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						one, b, _ := on(t, "minio", pass)
						two := closed(t, New(b, testOptions(one.budget)))
						first := post(t, one)
						content := bytesOf(sizes[0]+sizes[1], 1)
						old := patch(t, one, first, content[:sizes[0]])
						newest := patch(t, one, old, content[sizes[0]:])
						for _, id := range []string{old, newest} {
							if w, err := two.Resume(t.Context(), "repo", id, Request{Length: -1}); !cached {
								two.cache.end(w.state)
							} else if err != nil {
								t.Fatal(err)
							}
						}
						if cancel {
							w, err := one.Resume(t.Context(), "repo", newest, Request{Length: -1})
							if err != nil {
								t.Fatal(err)
							}
							if err := w.Cancel(t.Context()); err != nil {
								t.Fatal(err)
							}
						} else if err := put(t, one, newest, digest.FromBytes(content), nil); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Minute)
						for i, e := range []*Engine{one, two} {
							for _, id := range []string{old, newest} {
								if p, err := e.Status(t.Context(), "repo", id); !errors.Is(err, ErrUnknown) {
									t.Errorf("replica %d: status of %s: %+v, %v", i, id, p, err)
								}
							}
							if _, err := e.Status(t.Context(), "repo", first); cancel && !errors.Is(err, ErrUnknown) {
								t.Errorf("replica %d: status of the first id: %v", i, err)
							}
							// The bytes before are gone; they are not missing in silence.
							other := append(bytes.Clone(content[:sizes[0]]), "something else"...)
							d := digest.FromBytes(other)
							if err := put(t, e, old, d, []byte("something else")); !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrGone) {
								t.Errorf("replica %d: PUT from an old id: %v", i, err)
							}
							wantNoBlob(t, b, d)
							if err := put(t, e, newest, digest.FromBytes(content), nil); cancel != (errors.Is(err, ErrUnknown) || errors.Is(err, ErrGone)) {
								t.Errorf("replica %d: PUT again: %v", i, err)
							}
						}
						wantNoBlob(t, b, digest.FromBytes(content))
					})
				})
			}
		}
	}
}
