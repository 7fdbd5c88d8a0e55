package emulator

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func cacheHere(t *testing.T) {
	t.Helper()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, t.TempDir())
	}
}

func TestCachedMakesOnce(t *testing.T) {
	cacheHere(t)
	var made atomic.Int32
	slow := func(path string) error {
		made.Add(1)
		time.Sleep(20 * time.Millisecond) // so that the others meet the lock
		return os.WriteFile(path, []byte("whole"), 0o755)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			path, err := cached(t.Context(), "thing", "key", "file", slow)
			if err != nil {
				t.Error(err)
				return
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != "whole" {
				t.Errorf("read %q, %v", b, err)
			}
		})
	}
	wg.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times, want once", n)
	}
}

func TestCachedLeavesNothingHalf(t *testing.T) {
	cacheHere(t)
	boom := errors.New("boom")
	_, err := cached(t.Context(), "thing", "key", "file", func(path string) error {
		return errors.Join(os.WriteFile(path, []byte("half"), 0o755), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want %v", err, boom)
	}
	path, err := cached(t.Context(), "thing", "key", "file", func(path string) error {
		return os.WriteFile(path, []byte("whole"), 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "whole" {
		t.Errorf("read %q, want what the second make wrote", b)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.part")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
