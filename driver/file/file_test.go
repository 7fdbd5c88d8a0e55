package file_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

// Through each wrapper by itself the suite runs on buckets in memory.
func TestConformanceWrapped(t *testing.T) { drivertest.RunStacked(t, harness()) }

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
	put(t, b, "a/x", "x")
	for _, key := range []string{".blobdock", ".blobdock/tmp/x", ".blobdock/uploads", "a/.blobdock", "a/.blobdock/x"} {
		if _, err := b.Stat(t.Context(), key); !errors.Is(err, driver.Invalid) {
			t.Errorf("Stat(%q): %v", key, err)
		}
		if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{}); !errors.Is(err, driver.Invalid) {
			t.Errorf("Put(%q): %v", key, err)
		}
		if err := b.Delete(t.Context(), key, driver.DeleteOptions{}); !errors.Is(err, driver.Invalid) {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
	for _, q := range []driver.ListRequest{{Prefix: ".blobdock/"}, {Prefix: ".blobdock/tmp"}, {Prefix: "a/.blobdock/"}} {
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
			if _, err := b.Put(t.Context(), key, body("x"), driver.WriteOptions{Cond: c}); !errors.Is(err, driver.Invalid) || driver.OutcomeUnknown(err) {
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
	if err := b.Delete(t.Context(), "a/b/c/d", driver.DeleteOptions{}); err != nil {
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
	if err := b.Delete(t.Context(), "left/over", driver.DeleteOptions{}); err != nil {
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
