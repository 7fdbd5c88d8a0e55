package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestMissingDirectory checks that no command but serve, and copy for its destination,
// makes a directory, which is most likely mistyped.
func TestMissingDirectory(t *testing.T) {
	for name, tt := range map[string]struct {
		cmd  *cobra.Command
		args []string // MISSING is a directory that does not exist
		want string   // in the error; "" is none
	}{
		"check":              {checkCommand(), []string{"file://MISSING"}, "MISSING does not exist"},
		"check, repairing":   {checkCommand(), []string{"--repair", "file://MISSING"}, "MISSING does not exist"},
		"sweep":              {sweepCommand(), []string{"file://MISSING"}, "MISSING does not exist"},
		"sweep, only to say": {sweepCommand(), []string{"--dry-run", "file://MISSING"}, "MISSING does not exist"},
		"probe":              {probeCommand(), []string{"file://MISSING"}, "checks failed"},
		"copy from":          {copyCommand(), []string{"file://MISSING", "file://MISSING/other"}, "MISSING does not exist"},
		"copy, only to say":  {copyCommand(), []string{"--dry-run", "file://PUSHED", "file://MISSING"}, ""},
		"asked to create":    {sweepCommand(), []string{"file://MISSING?create=yes"}, ""},
	} {
		missing := filepath.Join(t.TempDir(), "missing")
		there, _ := pushed(t)
		fill := strings.NewReplacer("MISSING", missing, "PUSHED", there)
		for i, arg := range tt.args {
			tt.args[i] = fill.Replace(arg)
		}
		out, err := run(t, tt.cmd, tt.args...)
		if want := fill.Replace(tt.want); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q; printed\n%s", name, err, want, out)
		}
		if name == "probe" && !strings.Contains(out, missing+" does not exist") {
			t.Errorf("probe printed\n%s", out)
		}
		if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s made the directory: %v", name, err)
		}
	}
}

// TestCopyMakesDirectory checks that what is written to is made.
func TestCopyMakesDirectory(t *testing.T) {
	src, _ := pushed(t)
	dst := filepath.Join(t.TempDir(), "a", "new one")
	if out, err := run(t, copyCommand(), "file://"+src, "file://"+strings.ReplaceAll(dst, " ", "%20")); err != nil {
		t.Fatalf("%v; printed\n%s", err, out)
	}
	if len(files(t, dst)) == 0 {
		t.Error("nothing was copied")
	}
}

// serving is a configuration of serve that stores to a URL.
func serving(storage string) *configuration.Configuration {
	return &configuration.Configuration{Storage: configuration.Storage{"blobdock": {"url": storage}}}
}

// TestServeMakesDirectory checks that the look at the store makes the directory.
func TestServeMakesDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := awaitStorage(t.Context(), serving("file://"+dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// unable is a directory whose file system lacks something.
type unable struct{ driver.Bucket }

func (unable) Put(_ context.Context, key string, _ *io.SectionReader, _ driver.WriteOptions) (driver.Object, error) {
	return driver.Object{}, driver.NewError(driver.OpPut, key, fmt.Errorf("no hard links: %w", file.ErrFileSystem))
}

// TestServeRefusesFileSystem checks that a file system that can't be written to as it must
// be shows at the start.
func TestServeRefusesFileSystem(t *testing.T) {
	driver.Register("unable", func(_ context.Context, u *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
		return func() (driver.Bucket, error) {
			b, err := file.New(u.Path, file.Options{})
			return unable{b}, err
		}, p.Err()
	})
	err := awaitStorage(t.Context(), serving("unable://"+t.TempDir()))
	if !errors.Is(err, file.ErrFileSystem) || !strings.Contains(err.Error(), "no hard links") {
		t.Errorf("awaitStorage: %v", err)
	}
}

// watched is a store that tells of each call that writes.
type watched struct {
	driver.Bucket
	writes *atomic.Int64
}

func (w watched) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	w.writes.Add(1)
	return w.Bucket.Put(ctx, key, body, o)
}

// TestServeReadOnlyWritesNothing checks that the look at the store tries nothing out that writes
// where the registry is read-only, and does so elsewhere.
func TestServeReadOnlyWritesNothing(t *testing.T) {
	var writes atomic.Int64
	driver.Register("watched", func(_ context.Context, _ *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
		return func() (driver.Bucket, error) { return watched{mem.New(), &writes}, nil }, p.Err()
	})
	for _, enabled := range []bool{false, true} {
		config := serving("watched://bucket")
		config.Storage["maintenance"] = configuration.Parameters{"readonly": map[any]any{"enabled": enabled}}
		writes.Store(0)
		if err := awaitStorage(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		if n := writes.Load(); (n == 0) != enabled {
			t.Errorf("read-only is %t, and it wrote %d times", enabled, n)
		}
	}
}
