package blobstore_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/internal/layout"
)

func wantFile(t *testing.T, s *blobstore.Store, key string, want []byte) {
	t.Helper()
	r, err := friend.Of(s).OpenKey(t.Context(), key, 0)
	if err != nil {
		t.Errorf("%s: %v", key, err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, want %d (%v)", key, len(got), len(want), err)
	}
}

// TestFile appends to a file by several replicas.
func TestFile(t *testing.T) {
	const key = "some/file"
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		b := newBucket()
		p := content(1, 30_000)
		at := 0
		for i, n := range []int{0, 10, 9000, 3000, 1, 17_000} {
			s := newStore(t, b)
			f, err := friend.Of(s).Append(t.Context(), key, i > 0)
			if err != nil {
				t.Fatal(err)
			}
			if f.Size() != int64(at) {
				t.Errorf("goes on at %d, want %d", f.Size(), at)
			}
			if _, err := f.Write(p[at : at+n]); err != nil {
				t.Fatal(err)
			}
			at += n
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			for _, k := range keys(t, b) {
				if !layout.IsHidden(k) {
					t.Errorf("%s shows", k)
				}
			}
		}
		s := newStore(t, b)
		f, err := friend.Of(s).Append(t.Context(), key, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		wantFile(t, s, key, p[:at])
		wantKeys(t, b, 1, s)
		if _, err := friend.Of(s).Append(t.Context(), key, true); !errors.Is(err, driver.Unsupported) {
			t.Errorf("append to a file that is committed: %v, want %v", err, driver.Unsupported)
		}
	})
}

// TestFileAnew begins a file again, and drops it.
func TestFileAnew(t *testing.T) {
	b := newBucket(t)
	s := newStore(t, b)
	for _, commit := range []bool{true, false} {
		f, err := friend.Of(s).Append(t.Context(), "file", false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content(1, 9000)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if f, err = friend.Of(s).Append(t.Context(), "file", false); err != nil || f.Size() != 0 {
			t.Fatalf("anew: %v", err)
		}
		p := content(2, 100)
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
		if !commit {
			if err := f.Cancel(t.Context()); err != nil {
				t.Error(err)
			}
			wantKeys(t, b, 0)
			continue
		}
		if err := f.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		_ = f.Close()
		wantFile(t, s, "file", p)
	}
}

// TestFileCommitAgain commits a file again whose chain has outlived the first time.
func TestFileCommitAgain(t *testing.T) {
	const key = "docker/registry/v2/repositories/app/_uploads/00000000-0000-4000-8000-000000000000/data"
	for _, size := range []int{100, 1500, 9000} {
		b := newBucket(t)
		keeps := newStore(t, fault.Wrap(b, fault.Script{{Op: driver.OpDelete}, {Op: driver.OpDeleteBatch}}))
		p := content(4, size)
		f, err := friend.Of(keeps).Append(t.Context(), key, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(p); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f, err = friend.Of(keeps).Append(t.Context(), key, true)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Commit(t.Context()) // the chain can't be removed
		_ = f.Close()
		wantFile(t, keeps, key, p)
		s := newStore(t, b)
		if f, err = friend.Of(s).Append(t.Context(), key, true); err != nil {
			t.Fatal(err)
		}
		if err := f.Commit(t.Context()); err != nil {
			t.Errorf("%d bytes: commit again: %v", size, err)
		}
		_ = f.Close()
		wantFile(t, s, key, p)
		wantKeys(t, b, 1, s)
	}
}
