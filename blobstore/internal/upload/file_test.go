package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

const fileKey = "root/repositories/app/_uploads/00000000-0000-4000-8000-000000000000/data"

// TestFileCommitEveryCall has each call of a File's Commit fail in turn, or lose its answer, or
// the process die. Commit succeeds when it is called again, also by a process that resumes.
func TestFileCommitEveryCall(t *testing.T) {
	for _, store := range []string{"minio", "gcs", "azure", "plain"} {
		for _, sizes := range [][]int{{100}, {3*testPart + 100}, {100, 200}, {2 * testPart, 2 * testPart, 10}} {
			for _, how := range []string{"refused", "lost", "dead", "dead after"} {
				for _, same := range []bool{true, false} {
					for n, more := 1, true; more; n++ {
						synctest.Test(t, func(t *testing.T) { more = fileCommitAgain(t, store, sizes, how, same, n) })
						if t.Failed() {
							t.Fatalf("%s, %d bytes, %s, the same File %t, call %d", store, sizes, how, same, n)
						}
					}
				}
			}
		}
	}
}

func fileCommitAgain(t *testing.T, store string, sizes []int, how string, same bool, n int) bool {
	calls := &nth{n: n}
	e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		switch left := calls.next(); {
		case left > 0:
			return next(ctx)
		case left == 0 && how == "lost":
			return lostReply(ctx, c, next)
		case left == 0 && how == "dead after":
			_ = next(ctx)
		case left < 0 && how != "dead" && how != "dead after":
			return next(ctx)
		}
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
	})
	var content []byte
	var f *File
	for i, size := range sizes {
		var err error
		if f, err = e.Append(t.Context(), fileKey, i > 0); err != nil {
			t.Fatal(err)
		}
		if f.Size() != int64(len(content)) {
			t.Fatalf("resumed at %d, want %d", f.Size(), len(content))
		}
		p := bytesOf(size, uint64(i))
		content = append(content, p...)
		if _, err := f.ReadFrom(bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
		if i < len(sizes)-1 || !same {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !same {
		var err error
		if f, err = e.Append(t.Context(), fileKey, true); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	calls.arm(true)
	first := f.Commit(t.Context())
	calls.arm(false)
	again := f
	if first != nil && !same || how == "dead" || how == "dead after" {
		_ = f.Close()
		var err error
		again, err = closed(t, New(b, testOptions(memory.New(1<<20)))).Append(t.Context(), fileKey, true)
		if err != nil {
			// All of it is committed: there is nothing to go on with.
			if !errors.Is(err, driver.Unsupported) {
				t.Errorf("first Commit: %v; resumed: %v", first, err)
			}
			wantFile(t, b, content)
			return calls.came()
		}
	}
	if err := again.Commit(t.Context()); err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("first Commit: %v; Commit again: %v", first, err)
	}
	_ = again.Close()
	_ = f.Close()
	wantFile(t, b, content)
	return calls.came()
}

func wantFile(t *testing.T, b driver.Bucket, content []byte) {
	t.Helper()
	rd, err := b.Open(t.Context(), fileKey, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Errorf("file: %v", err)
		return
	}
	defer rd.Close()
	if got, err := io.ReadAll(rd); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file has %d bytes, want %d (%v)", len(got), len(content), err)
	}
}

// TestFileOrphan has a process die at each call of a File's Commit, on a store that lists
// multipart uploads by their exact key alone. A sweep finds what is left at the file's key,
// also when the folder is gone or another process has committed the file or begun it anew.
func TestFileOrphan(t *testing.T) {
	for _, then := range []string{"purge", "again", "anew"} {
		for _, after := range []bool{false, true} {
			for n, more := 1, true; more; n++ {
				synctest.Test(t, func(t *testing.T) {
					b := driver.WithFeatures(mem.NewWith(small(mem.Imitations()["minio"])), func(f *driver.Features) { f.UploadsByKey = true })
					calls := &nth{n: n}
					dying := New(driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
						left := calls.next()
						if left > 0 {
							return next(ctx)
						}
						if left == 0 && after {
							_ = next(ctx)
						}
						return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
					}), testOptions(memory.New(1<<20)))
					other := New(b, testOptions(memory.New(1<<20)))
					content := bytesOf(3*testPart+100, 1)
					f, err := dying.Append(t.Context(), fileKey, false)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := f.ReadFrom(bytes.NewReader(content)); err != nil {
						t.Fatal(err)
					}
					calls.arm(true)
					_ = f.Commit(t.Context())
					_ = f.Close()
					_ = dying.Close(t.Context())
					more = calls.came()
					switch then {
					case "purge": // as distribution removes the folder of an old upload
						if err := removeFolder(t.Context(), b, path.Dir(fileKey)+"/", ""); err != nil {
							t.Fatal(err)
						}
					case "again":
						f, err := other.Append(t.Context(), fileKey, true)
						if errors.Is(err, driver.Unsupported) {
							break // it was committed
						}
						if err != nil {
							t.Fatal(err)
						}
						if err := f.Commit(t.Context()); err != nil {
							t.Error(err)
						}
						wantFile(t, b, content)
					case "anew":
						f, err := other.Append(t.Context(), fileKey, false)
						if err != nil {
							t.Fatal(err)
						}
						if err := f.Cancel(t.Context()); err != nil {
							t.Error(err)
						}
					}
					wantNothingLeft(t, b, dying, other)
				})
				if t.Failed() {
					t.Fatalf("%s, call %d, carried out %t", then, n, after)
				}
			}
		}
	}
}

// TestFileCancel leaves nothing of a file, however far it got.
func TestFileCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, b, _ := on(t, "minio", pass)
		for _, size := range []int{0, 100, 3 * testPart} {
			f, err := e.Append(t.Context(), fileKey, false)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.ReadFrom(bytes.NewReader(bytesOf(size, 1))); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := f.Cancel(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if _, err := f.Write([]byte("x")); !errors.Is(err, ErrClosed) {
				t.Errorf("Write after Cancel: %v", err)
			}
			if err := f.Commit(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("Commit after Cancel: %v", err)
			}
			time.Sleep(time.Minute)
			for entry, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
				t.Errorf("%s is left (%v)", entry.Key, err)
			}
		}
	})
}

// TestFileBranches has two Files go on from one state. The one that resumes has all of one
// branch, and nothing of the other.
func TestFileBranches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := on(t, "minio", pass)
		head := bytesOf(2*testPart+100, 1)
		f, err := e.Append(t.Context(), fileKey, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadFrom(bytes.NewReader(head)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		var files []*File
		branches := [][]byte{slices.Concat(head, bytesOf(testPart, 2)), slices.Concat(head, bytesOf(2*testPart, 3))}
		for range branches {
			f, err := e.Append(t.Context(), fileKey, true)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for i, f := range files {
			if _, err := f.ReadFrom(bytes.NewReader(branches[i][len(head):])); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
		last, err := e.Append(t.Context(), fileKey, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := last.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantFile(t, e.bucket, branches[1])
	})
}
