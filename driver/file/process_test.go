package file_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// TestStale removes temporary files that a crash left, and uploads that an earlier
// version left, at the age that tells either from work under way.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, ".blobdock")
	const day = 24 * time.Hour
	for name, age := range map[string]time.Duration{
		"tmp/old": day + time.Hour, "tmp/new": 0,
		"uploads/OLD": 7*day + time.Hour, "uploads/NEW": 2 * day,
	} {
		path := filepath.Join(own, filepath.FromSlash(name))
		if err := os.MkdirAll(path, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"upload.json", "1"} {
			if err := os.WriteFile(filepath.Join(path, part), []byte("x"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put(t, open(t, dir, file.Options{}), "key", "x")
	left, err := filepath.Glob(filepath.Join(own, "[tu]*", "*"))
	want := []string{filepath.Join(own, "tmp", "new"), filepath.Join(own, "uploads", "NEW")}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left %q, %v, want %q", left, err, want)
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
