package blobstore_test

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
)

// breaking is a bucket whose bodies break after some bytes, the first n times.
func breaking(b driver.Bucket, after int64, n int) driver.Bucket {
	var script fault.Script
	for i := range n {
		script = append(script, fault.Rule{Op: driver.OpOpen, Key: "*/blobs/*", Nth: i + 1, Where: fault.MidBody, Offset: after})
	}
	return fault.Wrap(b, script)
}

func TestReadAt(t *testing.T) {
	p := content(3, 20_000)
	for _, broken := range []int{0, 2} {
		repo, d := serving(t, breaking(newBucket(t), 1000, broken), blobstore.Options{}, p)
		r, err := repo.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		at := r.(io.ReaderAt)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				off := int64(i * 1900)
				got := make([]byte, 3000)
				n, err := at.ReadAt(got, off)
				want := p[off:min(off+3000, int64(len(p)))]
				if !bytes.Equal(got[:n], want) || (err != nil) != (len(want) < 3000) || err != nil && !errors.Is(err, io.EOF) {
					t.Errorf("at %d: %d bytes and %v, want %d", off, n, err, len(want))
				}
			})
		}
		// In between it is read from the start.
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
			t.Errorf("all: %d bytes and %v", len(got), err)
		}
		wg.Wait()
		if n, err := at.ReadAt(make([]byte, 1), int64(len(p))); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %d, %v", n, err)
		}
		if _, err := at.ReadAt(make([]byte, 1), -1); !errors.Is(err, driver.Invalid) {
			t.Errorf("before the start: %v", err)
		}
		_ = r.Close()
		if _, err := at.ReadAt(make([]byte, 1), 0); err == nil {
			t.Error("a closed reader reads")
		}
	}
}

func TestReadAtGivesUp(t *testing.T) {
	repo, d := serving(t, breaking(newBucket(t), 0, 100), blobstore.Options{}, content(4, 5000))
	r, err := repo.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := r.(io.ReaderAt).ReadAt(make([]byte, 10), 7); n != 0 || !errors.Is(err, fault.ErrInjected) {
		t.Errorf("got %d bytes and %v", n, err)
	}
}
