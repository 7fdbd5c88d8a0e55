package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/driver/file"
)

// harness tests on a fresh folder each time, without waiting for the disk.
func harness() drivertest.Harness {
	return drivertest.Harness{
		New: func(t testing.TB) driver.Bucket { return open(t, t.TempDir(), file.Options{NoSync: true}) },
		Missing: func(t testing.TB) driver.Bucket {
			return open(t, filepath.Join(t.TempDir(), "none"), file.Options{NoCreate: true})
		},
		Golden: "testdata",
	}
}

func open(t testing.TB, dir string, o file.Options) *file.Bucket {
	t.Helper()
	b, err := file.New(dir, o)
	if err != nil {
		t.Fatalf("New(%q): %v", dir, err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func TestConformance(t *testing.T) { drivertest.Run(t, harness()) }

func TestConformanceWrapped(t *testing.T) { drivertest.RunWrapped(t, harness()) }

// TestWalkWithSync takes the random walk with every write on disk.
func TestWalkWithSync(t *testing.T) {
	drivertest.Walk(t, open(t, t.TempDir(), file.Options{}), drivertest.Choices([]byte("sync")), 60)
}

func FuzzWalk(f *testing.F) {
	for _, s := range []string{"", "a", "conditions", "uploads and copies and so on", "\x00\xff\x10\x80\x40\x20"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		drivertest.Walk(t, open(t, t.TempDir(), file.Options{NoSync: true}), drivertest.Choices(data), min(len(data), 60))
	})
}

func body(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func put(t testing.TB, b driver.Bucket, key, data string) driver.Object {
	t.Helper()
	obj, err := b.Put(t.Context(), key, body(data), driver.WriteOptions{})
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return obj
}

func content(t testing.TB, b driver.Bucket, key string) string {
	t.Helper()
	rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	defer func() { _ = rd.Close() }()
	data, err := io.ReadAll(rd)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return string(data)
}

func keys(t testing.TB, b driver.Bucket, q driver.ListRequest) (keys []string) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, q) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

// TestPlainFiles checks that the folder holds what distribution's filesystem
// driver reads, and that what that one writes is served.
func TestPlainFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{})
	const key = "docker/registry/v2/blobs/sha256/ab/abcd/data"
	put(t, b, key, "ours")
	if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(key))); err != nil || string(got) != "ours" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	other := filepath.Join(dir, "docker", "registry", "v2", "repositories", "a", "link")
	if err := os.MkdirAll(filepath.Dir(other), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("theirs"), 0o666); err != nil {
		t.Fatal(err)
	}
	if got := content(t, b, "docker/registry/v2/repositories/a/link"); got != "theirs" {
		t.Errorf("got %q", got)
	}
	want := []string{key, "docker/registry/v2/repositories/a/link"}
	if got := keys(t, b, driver.ListRequest{}); !slices.Equal(got, want) {
		t.Errorf("List: %q", got)
	}
	info, err := os.Stat(other)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.Stat(filepath.Join(dir, filepath.FromSlash(key)))
	if err != nil || ours.Mode() != info.Mode() {
		t.Errorf("our file has mode %v, theirs %v", ours.Mode(), info.Mode())
	}
}

func TestReserved(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	put(t, b, ".blobdock-not", "x")
	put(t, b, "a/.blobdock/x", "x")
	for _, key := range []string{".blobdock", ".blobdock/tmp/x", ".blobdock/uploads"} {
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, driver.Invalid) {
			t.Errorf("Stat(%q): %v", key, err)
		}
		if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{}); !errors.Is(err, driver.Invalid) {
			t.Errorf("Put(%q): %v", key, err)
		}
		if err := b.Delete(t.Context(), key); !errors.Is(err, driver.Invalid) {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
	for _, q := range []driver.ListRequest{{Prefix: ".blobdock/"}, {Prefix: ".blobdock/tmp"}} {
		if got := keys(t, b, q); len(got) != 0 {
			t.Errorf("List(%+v): %q", q, got)
		}
	}
	if got := keys(t, b, driver.ListRequest{Delimiter: "/"}); !slices.Equal(got, []string{".blobdock-not", "a/"}) {
		t.Errorf("List: %q", got)
	}
}

func TestCollidingKeys(t *testing.T) {
	for _, c := range []driver.Cond{{}, {IfAbsent: true}} {
		b := open(t, t.TempDir(), file.Options{NoSync: true})
		put(t, b, "d/e", "x")
		for _, key := range []string{"d", "d/e/f", "d/e/f/g"} {
			if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{Cond: c}); !errors.Is(err, driver.Invalid) || driver.MayHave(err) {
				t.Errorf("Put(%q, %+v) beside d/e: %v", key, c, err)
			}
		}
		if got := content(t, b, "d/e"); got != "x" {
			t.Errorf("d/e holds %q", got)
		}
		long := strings.Repeat("s", 256)
		if _, err := b.Put(t.Context(), long, body("x"), driver.WriteOptions{Cond: c}); !errors.Is(err, driver.Invalid) {
			t.Errorf("Put of a segment of 256 bytes: %v", err)
		}
	}
}

func TestEmptyFolders(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	put(t, b, "a/b/c/d", "x")
	put(t, b, "a/e", "x")
	if err := b.Delete(t.Context(), "a/b/c/d"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "b")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder stayed: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "left", "over"), 0o777); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, b, driver.ListRequest{Delimiter: "/"}); !slices.Equal(got, []string{"a/"}) {
		t.Errorf("List: %q", got)
	}
	if err := b.Delete(t.Context(), "left/over"); err != nil {
		t.Errorf("Delete of a folder: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "left", "over")); err != nil {
		t.Errorf("Delete removed a folder: %v", err)
	}
	put(t, b, "left/over", "now a key")
	if got := content(t, b, "left/over"); got != "now a key" {
		t.Errorf("got %q", got)
	}
}

func TestSymbolicLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o666); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, file.Options{NoSync: true})
	put(t, b, "real", "x")
	for name, target := range map[string]string{"file": secret, "folder": outside, "up": "..", "inside": "real"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "folder", "inside"} {
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, driver.NotFound) {
			t.Errorf("Stat(%q): %v", key, err)
		}
		if _, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{}); !errors.Is(err, driver.NotFound) {
			t.Errorf("Open(%q): %v", key, err)
		}
	}
	for _, key := range []string{"folder/secret", "up/x"} {
		if rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{}); err == nil {
			_ = rd.Close()
			t.Errorf("Open(%q) leads out of the root", key)
		}
		if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{}); err == nil {
			t.Errorf("Put(%q) leads out of the root", key)
		}
		if err := b.Delete(t.Context(), key); err == nil {
			t.Errorf("Delete(%q) leads out of the root", key)
		}
	}
	if got := keys(t, b, driver.ListRequest{}); !slices.Equal(got, []string{"real"}) {
		t.Errorf("List: %q", got)
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "secret" {
		t.Errorf("outside: %q, %v", got, err)
	}
}

// TestETagsNeverRepeat writes fast and in a way that uses inode numbers again.
func TestETagsNeverRepeat(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	seen := map[string]int{}
	for i := range 2000 {
		etag := put(t, b, "key", "same").ETag
		if before, dup := seen[etag]; dup {
			t.Fatalf("writes %d and %d have the ETag %s", before, i, etag)
		}
		seen[etag] = i
		if i%3 == 0 {
			if err := b.Delete(t.Context(), "key"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestETagStaysWithTheFile checks that making and removing links, which changes
// the time of the last status change, leaves the ETag alone.
func TestETagStaysWithTheFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	obj, err := b.Put(t.Context(), "key", body("x"), driver.WriteOptions{Cond: driver.Cond{IfAbsent: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "key"), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Stat(t.Context(), "key"); err != nil || got.ETag != obj.ETag {
		t.Errorf("ETag %s became %s, %v", obj.ETag, got.ETag, err)
	}
}

// TestTwoReplicas begins an upload in one bucket and ends it in another of the
// same folder.
func TestTwoReplicas(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir, file.Options{}), open(t, dir, file.Options{})
	u, err := one.CreateUpload(t.Context(), "key", driver.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := one.PutPart(t.Context(), u, 1, body("first "))
	if err != nil {
		t.Fatal(err)
	}
	var found driver.Upload
	for f, err := range driver.ListUploads(t.Context(), two, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		found = f
	}
	if found.ID != u.ID || found.Key != u.Key || !found.Started.Equal(u.Started) {
		t.Errorf("found %+v, want %+v", found, u)
	}
	second, err := two.PutPart(t.Context(), found, 2, body("second"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.CompleteUpload(t.Context(), found, []driver.Part{first, second}, driver.Cond{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, one, "key"); got != "first second" {
		t.Errorf("got %q", got)
	}
	if err := one.AbortUpload(t.Context(), u); err != nil {
		t.Errorf("AbortUpload: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".blobdock", "[tu]*", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// TestForeignUploadID checks that an id is not taken for a path.
func TestForeignUploadID(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	put(t, b, "x/upload.json", `{"key":"key"}`)
	for _, id := range []string{"", ".", "..", "../../x", "/x", "a/b", "\x00"} {
		u := driver.Upload{Key: "key", ID: id}
		if _, err := b.PutPart(t.Context(), u, 1, body("x")); !errors.Is(err, driver.NotFound) {
			t.Errorf("PutPart with id %q: %v", id, err)
		}
		if err := b.AbortUpload(t.Context(), u); err != nil {
			t.Errorf("AbortUpload with id %q: %v", id, err)
		}
	}
	if got := content(t, b, "x/upload.json"); got == "" {
		t.Error("an object was taken for an upload")
	}
}

// TestPutBesideDelete checks that a folder that a delete removes is no obstacle.
func TestPutBesideDelete(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key := fmt.Sprintf("a/b/c/d/%d", i)
			for n := range 200 {
				c := driver.Cond{IfAbsent: n%2 == 0}
				if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{Cond: c}); err != nil {
					t.Errorf("Put(%q): %v", key, err)
				}
				if err := b.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete(%q): %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	if got := keys(t, b, driver.ListRequest{}); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// TestOldReader checks that an open reader keeps its version.
func TestOldReader(t *testing.T) {
	b := open(t, t.TempDir(), file.Options{NoSync: true})
	put(t, b, "key", "old version")
	rd, err := b.Open(t.Context(), "key", driver.Range{Off: 4}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	put(t, b, "key", "new version")
	if err := b.Delete(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rd); string(got) != "version" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestCutOffFile checks that a file that another program shortens does not pass
// for a shorter object.
func TestCutOffFile(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	put(t, b, "key", "0123456789")
	rd, err := b.Open(t.Context(), "key", driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	if err := os.Truncate(filepath.Join(dir, "key"), 4); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rd); string(got) != "0123" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestStaleTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	temp := filepath.Join(dir, ".blobdock", "tmp")
	if err := os.MkdirAll(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-25 * time.Hour)
	for name, at := range map[string]time.Time{"old": old, "new": time.Now()} {
		path := filepath.Join(temp, name)
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put(t, open(t, dir, file.Options{}), "key", "x")
	left, err := os.ReadDir(temp)
	if err != nil || len(left) != 1 || left[0].Name() != "new" {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestTidiedUpRoot(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, file.Options{})
	put(t, b, "key", "x")
	if err := os.RemoveAll(filepath.Join(dir, ".blobdock")); err != nil {
		t.Fatal(err)
	}
	put(t, b, "key", "y")
	if _, err := b.CreateUpload(t.Context(), "key", driver.WriteOptions{}); err != nil {
		t.Error(err)
	}
}

// TestOtherProcesses lets several processes count up one object under IfMatch:
// no step may get lost.
func TestOtherProcesses(t *testing.T) {
	const dirVariable = "BLOBDOCK_TEST_COUNT_IN"
	const steps, processes = 50, 3
	if dir := os.Getenv(dirVariable); dir != "" {
		countUp(t, open(t, dir, file.Options{NoSync: true}), steps)
		return
	}
	dir := t.TempDir()
	b := open(t, dir, file.Options{NoSync: true})
	put(t, b, "count", "0")
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcesses$")
			cmd.Env = append(os.Environ(), dirVariable+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
	countUp(t, b, steps)
	wg.Wait()
	if got, want := content(t, b, "count"), strconv.Itoa(steps*(processes+1)); got != want {
		t.Errorf("counted to %s, want %s", got, want)
	}
}

func countUp(t *testing.T, b driver.Bucket, steps int) {
	for done := 0; done < steps; {
		rd, err := b.Open(t.Context(), "count", driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(rd)
		_ = rd.Close()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Put(t.Context(), "count", body(strconv.Itoa(n+1)), driver.WriteOptions{Cond: driver.Cond{IfMatch: rd.Object.ETag}})
		switch {
		case err == nil:
			done++
		case !errors.Is(err, driver.Mismatch):
			t.Fatal(err)
		}
	}
}

func TestURL(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, tt := range []struct{ raw, path string }{
		{"file://" + (&url.URL{Path: filepath.ToSlash(dir) + "/abs dir"}).EscapedPath(), "abs dir/key"},
		{"file://./rel?fsync=off", "rel/key"},
		{"file://rel2?create=yes", "rel2/key"},
		{"file://rel3/below", "rel3/below/key"},
	} {
		b, err := driver.Open(t.Context(), tt.raw)
		if err != nil {
			t.Errorf("Open(%q): %v", tt.raw, err)
			continue
		}
		put(t, b, "key", "x")
		if got, err := os.ReadFile(filepath.Join(dir, tt.path)); err != nil || !bytes.Equal(got, []byte("x")) {
			t.Errorf("%s: %q, %v", tt.raw, got, err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	b, err := driver.Open(t.Context(), "file://./none?create=no")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.NoBucket) {
		t.Errorf("Stat in a missing folder: %v", err)
	}
}

// TestLockHeldElsewhere checks that waiting for another process ends with ctx.
func TestLockHeldElsewhere(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir, file.Options{NoSync: true}), open(t, dir, file.Options{NoSync: true})
	unlock, err := file.LockKey(one, "key")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := two.Put(ctx, "key", body("x"), driver.WriteOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put while another has the lock: %v", err)
	}
	unlock()
	put(t, two, "key", "x")
}
