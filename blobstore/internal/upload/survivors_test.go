package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// TestDamagedState flips a bit of each byte of a state: it is never content.
func TestDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, b, _ := on(t, "minio", pass)
		content := bytesOf(100, 1)
		name := patch(t, e, post(t, e), content)
		i, err := e.parseID(name, "repo")
		if err != nil {
			t.Fatal(err)
		}
		key := i.stateKey(e.folder("repo", i.uuid))
		rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		good, err := io.ReadAll(rd)
		_ = rd.Close()
		if err != nil {
			t.Fatal(err)
		}
		for at := range good {
			bad := bytes.Clone(good)
			bad[at] ^= 1
			if _, err := b.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(bad), 0, int64(len(bad))), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			fresh := New(b, testOptions(memory.New(1<<20)))
			if err := put(t, fresh, name, digest.FromBytes(content), nil); !errors.Is(err, ErrBadState) && !errors.Is(err, ErrNewerState) {
				t.Errorf("byte %d of %d: %v", at, len(good), err)
			}
			_ = fresh.Close(t.Context())
		}
	})
}

// TestConflict commits a state that another request has continued, under a wrong digest.
func TestConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, b, _ := on(t, "minio", pass)
		content := bytesOf(3*testPart, 1)
		one := patch(t, e, post(t, e), content[:2*testPart])
		two := patch(t, e, one, content[2*testPart:])
		if err := put(t, e, one, digest.FromString("other"), nil); !errors.Is(err, ErrConflict) {
			t.Errorf("PUT: %v, want ErrConflict", err)
		}
		if err := put(t, e, two, digest.FromBytes(content), nil); err != nil {
			t.Fatal(err)
		}
		wantBlob(t, b, content)
	})
}

// TestCancelAfterFailure has distribution cancel after a Commit that failed in passing.
func TestCancelAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		e, b, _ := on(t, "minio", func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if down && c.Op == driver.OpCreateUpload {
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
			}
			return next(ctx)
		})
		content := bytesOf(3*testPart, 1)
		id := patch(t, e, post(t, e), content)
		down = true
		if err := put(t, e, id, digest.FromBytes(content), nil); !errors.Is(err, driver.Denied) {
			t.Fatalf("PUT: %v", err)
		}
		down = false
		if err := put(t, e, id, digest.FromBytes(content), nil); err != nil {
			t.Fatal(err)
		}
		wantBlob(t, b, content)
	})
}
