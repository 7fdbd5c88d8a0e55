package file_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

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
