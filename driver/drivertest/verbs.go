package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// allVerbs makes one call of each verb that takes a key, and of each feature
// that b offers.
func allVerbs(ctx context.Context, b driver.Bucket, key string) iter.Seq2[driver.Op, error] {
	return func(yield func(driver.Op, error) bool) {
		f := b.Features()
		u := driver.Upload{Key: key, ID: "none"}
		one := []driver.Part{{Number: 1, Size: 1, ETag: `"none"`}}
		src := driver.Source{Key: "source"}
		body := section([]byte("x"))
		calls := []struct {
			op      driver.Op
			offered bool
			do      func() error
		}{
			{driver.OpStat, true, func() error { _, err := b.Stat(ctx, key); return err }},
			{driver.OpStat, f.StatChecksums != nil, func() error { _, err := f.StatChecksums(ctx, key); return err }},
			{driver.OpOpen, true, func() error {
				rd, err := b.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
				if err == nil {
					_ = rd.Close()
				}
				return err
			}},
			{driver.OpPut, true, func() error { _, err := b.Put(ctx, key, body, driver.WriteOptions{}); return err }},
			{driver.OpDelete, true, func() error { return b.Delete(ctx, key, driver.DeleteOptions{}) }},
			{driver.OpCreateUpload, f.Uploads != nil, func() error { _, err := f.Uploads.CreateUpload(ctx, key, driver.WriteOptions{}); return err }},
			{driver.OpPutPart, f.Uploads != nil, func() error { _, err := f.Uploads.PutPart(ctx, u, 1, body); return err }},
			{driver.OpCompleteUpload, f.Uploads != nil, func() error { _, err := f.Uploads.CompleteUpload(ctx, u, one, driver.Cond{}); return err }},
			{driver.OpAbortUpload, f.Uploads != nil, func() error { return f.Uploads.AbortUpload(ctx, u) }},
			{driver.OpSign, f.Sign != nil, func() error {
				_, err := f.Sign(ctx, driver.SignRequest{Method: http.MethodGet, Key: key, Expires: time.Minute})
				return err
			}},
			{driver.OpCopy, f.Copy != nil, func() error { _, err := f.Copy(ctx, driver.CopyRequest{Src: src, Dst: key}); return err }},
			{driver.OpCopyPart, f.CopyPart != nil, func() error { _, err := f.CopyPart(ctx, u, 1, src); return err }},
			{driver.OpConcat, f.Concat != nil, func() error {
				_, err := f.Concat(ctx, driver.ConcatRequest{Key: key, Sources: []driver.Object{{Key: "source", Size: 1000}}})
				return err
			}},
			{driver.OpDeleteBatch, f.DeleteBatch != nil, func() error { return f.DeleteBatch(ctx, driver.Refs(key)) }},
		}
		for _, c := range calls {
			if c.offered && !yield(c.op, c.do()) {
				return
			}
		}
	}
}

func ctxReachable(t *testing.T, s suite) {
	b := s.New(t)
	old := content("old", 1000)
	put(t, b, "key", old)
	put(t, b, "source", old)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Minute))
	defer cancelLate()
	for _, tt := range []struct {
		ctx  context.Context
		want error
	}{{cancelled, context.Canceled}, {late, context.DeadlineExceeded}} {
		check := func(op driver.Op, err error) {
			t.Helper()
			var e *driver.Error
			if !errors.Is(err, tt.want) || !errors.As(err, &e) {
				t.Errorf("%s with an ended context: got %v, want a *driver.Error for %v", op, err, tt.want)
			}
		}
		for op, err := range allVerbs(tt.ctx, b, "key") {
			// A signature may be made offline, before anybody looks at the context.
			if op != driver.OpSign || err != nil {
				check(op, err)
			}
		}
		_, err := b.ListPage(tt.ctx, driver.ListRequest{})
		check(driver.OpList, err)
		if uploads := b.Features().Uploads; uploads != nil {
			_, err = uploads.UploadsPage(tt.ctx, driver.ListRequest{})
			check(driver.OpListUploads, err)
		}
	}
	wantContent(t, b, "key", old)
	wantContent(t, b, "source", old)

	t.Run("body sent", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		data := content("cut", 4*mib)
		_, err := b.Put(ctx, "key", io.NewSectionReader(endAt{data, 2 * mib, cancel}, 0, int64(len(data))), driver.WriteOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Put cancelled in mid-body: got %v", err)
		}
		// Whatever the store made of it, it is one version or the other.
		if got := get(t, b, "key", driver.Range{}); !bytes.Equal(got, old) && !bytes.Equal(got, data) {
			t.Errorf("Put cancelled in mid-body left %d bytes that are neither version", len(got))
		}
	})
	t.Run("body received", func(t *testing.T) {
		data := content("cut", 16*mib)
		put(t, b, "big", data)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rd := must[*driver.Reader](t, "Open")(b.Open(ctx, "big", driver.Range{}, driver.ReadOptions{}))
		defer func() { _ = rd.Close() }()
		if _, err := io.ReadFull(rd, make([]byte, 1000)); err != nil {
			t.Fatalf("read: %v", err)
		}
		cancel()
		if n, err := io.Copy(io.Discard, rd); !errors.Is(err, context.Canceled) {
			t.Errorf("read after cancel: %d bytes and %v", n, err)
		}
	})
}

// endAt is a body that calls end when it is read beyond an offset.
type endAt struct {
	data []byte
	off  int64
	end  func()
}

func (e endAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > e.off {
		e.end()
	}
	return bytes.NewReader(e.data).ReadAt(p, off)
}

func bucketNotKey(t *testing.T, s suite) {
	if s.Missing == nil {
		t.Log("this store's buckets can't be missing")
		return
	}
	b := s.Missing(t)
	for op, err := range allVerbs(t.Context(), b, "key") {
		if op == driver.OpCreateUpload && s.excepted(t, "bucket-not-key/create-upload") {
			continue
		}
		switch op {
		case driver.OpOpen, driver.OpPut, driver.OpDelete, driver.OpCreateUpload:
			wantKind(t, fmt.Sprintf("%s in a missing bucket", op), err, driver.NoBucket)
		case driver.OpStat:
			// The answer to a HEAD has no body that could tell one from the other.
			if !errors.Is(err, driver.NoBucket) && !errors.Is(err, driver.NotFound) {
				t.Errorf("%s in a missing bucket: %v", op, err)
			}
		}
	}
	_, err := b.ListPage(t.Context(), driver.ListRequest{})
	wantKind(t, "list in a missing bucket", err, driver.NoBucket)
}

// huge is a body that is never to be read.
func huge(n int64) *io.SectionReader {
	return io.NewSectionReader(failAt{0, errors.New("body was read")}, 0, n)
}
