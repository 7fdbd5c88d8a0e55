package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// change is a write that can be cut short.
type change struct {
	name string
	do   func(ctx context.Context, b *file.Bucket) error
	// before and after are all keys and contents.
	before, after map[string]string
}

func changes() []change {
	put := func(key string, c driver.Cond) func(context.Context, *file.Bucket) error {
		return func(ctx context.Context, b *file.Bucket) error {
			_, err := b.Put(ctx, key, body("new"), driver.WriteOptions{Cond: c})
			return err
		}
	}
	join := func(dst string, c driver.Cond, sources ...string) func(context.Context, *file.Bucket) error {
		return func(ctx context.Context, b *file.Bucket) error {
			q := driver.ConcatRequest{Key: dst, DeleteSources: true, Options: driver.WriteOptions{Cond: c}}
			for _, key := range sources {
				q.Sources = append(q.Sources, driver.Object{Key: key, Size: 3})
			}
			_, err := b.Features().Concat(ctx, q)
			return err
		}
	}
	old := map[string]string{"other": "old", "a/b/key": "old"}
	pieces := map[string]string{"other": "old", "u/1/p": "one", "u/2/p": "two"}
	return []change{
		{"Put", put("a/b/key", driver.Cond{}), map[string]string{"other": "old"}, map[string]string{"other": "old", "a/b/key": "new"}},
		{"Put if absent", put("a/b/key", driver.Cond{IfAbsent: true}), map[string]string{"other": "old"}, map[string]string{"other": "old", "a/b/key": "new"}},
		{"overwrite", put("a/b/key", driver.Cond{}), old, map[string]string{"other": "old", "a/b/key": "new"}},
		{"Put to a linked folder", put("linked/b/key", driver.Cond{}), map[string]string{"other": "old"}, map[string]string{"other": "old", "linked/b/key": "new"}},
		{"Delete", func(ctx context.Context, b *file.Bucket) error {
			return b.Delete(ctx, "a/b/key", driver.DeleteOptions{})
		}, old, map[string]string{"other": "old"}},
		{"Copy", func(ctx context.Context, b *file.Bucket) error {
			_, err := b.Features().Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "other"}, Dst: "a/b/key"})
			return err
		}, map[string]string{"other": "old"}, old},
		{"Concat", join("a/key", driver.Cond{}, "u/1/p", "u/2/p"), pieces, map[string]string{"other": "old", "a/key": "onetwo"}},
		{"move", join("a/key", driver.Cond{}, "u/1/p"), pieces, map[string]string{"other": "old", "u/2/p": "two", "a/key": "one"}},
		{"move if absent", join("a/key", driver.Cond{IfAbsent: true}, "u/1/p"), pieces, map[string]string{"other": "old", "u/2/p": "two", "a/key": "one"}},
	}
}

func (c change) prepare(t *testing.T) (dir string) {
	t.Helper()
	dir, _ = inMemory(t)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "linked")); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, file.Options{NoSync: true})
	for key, text := range c.before {
		put(t, b, key, text)
	}
	return dir
}

// check looks at what there is after the change, done or not.
func (c change) check(t *testing.T, dir string) {
	t.Helper()
	b := open(t, dir, file.Options{NoSync: true})
	for key := range c.after {
		got, err := b.Stat(t.Context(), key)
		text := ""
		if err == nil {
			text = content(t, b, key)
		}
		if text != c.before[key] && text != c.after[key] || err == nil && got.Size != int64(len(text)) {
			t.Errorf("%s holds %q, %v; want what was there before or after", key, text, err)
		}
	}
	for _, key := range keys(t, b, driver.ListRequest{}) {
		if c.before[key] == "" && c.after[key] == "" {
			t.Errorf("%s is listed, which nobody wrote", key)
		}
	}
	for _, dir := range keys(t, b, driver.ListRequest{Delimiter: "/"}) {
		if len(keys(t, b, driver.ListRequest{Prefix: dir})) == 0 {
			t.Errorf("%s is listed and holds nothing", dir)
		}
	}
}

// temps are the temporary files of all volumes.
func temps(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, folder := range []string{dir, filepath.Join(dir, "linked")} {
		names, err := filepath.Glob(filepath.Join(folder, ".blobdock", "tmp", "*"))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, names...)
	}
	return left
}

// emptyFolders are those below dir that hold nothing, but for our own.
func emptyFolders(t *testing.T, dir string) (left []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".blobdock":
			return fs.SkipDir
		case d.IsDir() && path != dir:
			if names, err := os.ReadDir(path); err != nil || len(names) == 0 {
				left = append(left, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// cutShort runs c once for each call of the system that it makes. cut gets the number of
// calls until something happens.
func cutShort(t *testing.T, c change, run func(t *testing.T, dir string, b *file.Bucket, nth int) (calls int)) {
	t.Run(c.name, func(t *testing.T) {
		for nth := 1; ; nth++ {
			dir := c.prepare(t)
			calls := run(t, dir, open(t, dir, file.Options{}), nth)
			c.check(t, dir)
			if t.Failed() {
				t.Fatalf("at call %d", nth)
			}
			if calls < nth {
				if nth < 8 {
					t.Errorf("it made %d calls of the system only", calls)
				}
				return
			}
		}
	})
}

var errDead = errors.New("the process is dead")

// TestCrash ends the process at each call of the system. What it leaves is the object as it
// was before or after, no folder that is listed, and temporary files that a write finds a
// day later.
func TestCrash(t *testing.T) {
	for _, c := range changes() {
		cutShort(t, c, func(t *testing.T, dir string, b *file.Bucket, nth int) (calls int) {
			file.Watch(b, func(string, string) error {
				if calls++; calls >= nth {
					return errDead
				}
				return nil
			})
			_ = c.do(t.Context(), b)
			old := time.Now().Add(-25 * time.Hour)
			for _, name := range temps(t, dir) {
				if err := os.Chtimes(name, old, old); err != nil {
					t.Fatal(err)
				}
			}
			next := open(t, dir, file.Options{NoSync: true})
			put(t, next, "other", "old")
			put(t, next, "linked/other", "x")
			if left := temps(t, dir); len(left) != 0 {
				t.Errorf("left %q", left)
			}
			// A delete of the same key removes the folders that are empty.
			if err := next.Delete(t.Context(), "linked/other", driver.DeleteOptions{}); err != nil {
				t.Error(err)
			}
			for key := range c.after {
				if key == "other" {
					continue
				}
				again := open(t, dir, file.Options{NoSync: true})
				saved, err := again.Stat(t.Context(), key)
				if err == nil && saved.Size > 0 {
					continue
				}
				if err := again.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
					t.Error(err)
				}
				if left := emptyFolders(t, dir); len(left) != 0 {
					t.Errorf("left empty %q", left)
				}
			}
			return calls
		})
	}
}

// TestFailedCall has each call of the system fail once. Nothing is left but the object as
// it was before or after, unless it was cleaning up that failed.
func TestFailedCall(t *testing.T) {
	for _, c := range changes() {
		cutShort(t, c, func(t *testing.T, dir string, b *file.Bucket, nth int) (calls int) {
			failed := ""
			file.Watch(b, func(call, _ string) error {
				if calls++; calls == nth {
					failed = call
					return syscall.EIO
				}
				return nil
			})
			err := c.do(t.Context(), b)
			if left := slices.Concat(temps(t, dir), emptyFolders(t, dir)); len(left) != 0 && failed != "remove" && failed != "rmdir" {
				t.Errorf("%s failed and left %q", failed, left)
			}
			if calls < nth && err != nil {
				t.Errorf("without a failure: %v", err)
			}
			return calls
		})
	}
}

// TestCancelled has the context end at each call of the system: nothing is left but the
// object as it was before or after.
func TestCancelled(t *testing.T) {
	for _, c := range changes() {
		cutShort(t, c, func(t *testing.T, dir string, b *file.Bucket, nth int) (calls int) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			file.Watch(b, func(string, string) error {
				if calls++; calls == nth {
					cancel()
				}
				return nil
			})
			err := c.do(ctx, b)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if left := slices.Concat(temps(t, dir), emptyFolders(t, dir)); len(left) != 0 {
				t.Errorf("left %q", left)
			}
			return calls
		})
	}
}

// TestTidyHourly checks that a process that lives long removes what others left.
func TestTidyHourly(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := open(t, dir, file.Options{NoSync: true})
		put(t, b, "key", "x")
		// The file system's clock is the real one.
		info, err := os.Stat(filepath.Join(dir, ".blobdock"))
		if err != nil {
			t.Fatal(err)
		}
		now := info.ModTime()
		ages := map[string]time.Duration{"old": 25 * time.Hour, "new": time.Hour}
		for name, age := range ages {
			name = filepath.Join(dir, ".blobdock", "tmp", name)
			if err := errors.Join(os.WriteFile(name, []byte("x"), 0o666), os.Chtimes(name, now.Add(-age), now.Add(-age))); err != nil {
				t.Fatal(err)
			}
		}
		put(t, b, "key", "x")
		if left := temps(t, dir); len(left) != 2 {
			t.Errorf("a write that follows another left %q", left)
		}
		time.Sleep(time.Hour)
		put(t, b, "key", "x")
		if left := temps(t, dir); len(left) != 1 || filepath.Base(left[0]) != "new" {
			t.Errorf("a write an hour later left %q", left)
		}
	})
}
