package drivertest

import (
	"net/http"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// wireCost checks that each verb is one request.
func wireCost(t *testing.T, s suite) {
	if s.Requests == nil {
		t.Log("this harness counts no requests")
		return
	}
	b := s.New(t)
	f := b.Features()
	data := content("data", 1000)
	put(t, b, "key", data) // connections, credentials and the like
	cost := func(op driver.Op, do func() error) {
		t.Helper()
		want := int64(1)
		if op == driver.OpSign {
			want = 0
		}
		if w, ok := s.Costs[op]; ok {
			want = w
		}
		before := s.Requests()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if got := s.Requests() - before; got != want {
			t.Errorf("%s cost %d requests, want %d", op, got, want)
		}
	}
	ctx := t.Context()
	var u driver.Upload
	var p driver.Part
	begin := func() {
		t.Helper()
		cost(driver.OpCreateUpload, func() (err error) { u, err = f.Uploads.CreateUpload(ctx, "parts", driver.WriteOptions{}); return err })
		cost(driver.OpPutPart, func() (err error) { p, err = f.Uploads.PutPart(ctx, u, 1, section(data)); return err })
	}
	cost(driver.OpStat, func() error { _, err := b.Stat(ctx, "key"); return err })
	if f.StatChecksums != nil {
		cost(driver.OpStat, func() error { _, err := f.StatChecksums(ctx, "key"); return err })
	}
	cost(driver.OpPut, func() error { _, err := b.Put(ctx, "key", section(data), driver.WriteOptions{}); return err })
	for _, r := range []driver.Range{{}, {Off: 10, Len: 5}, {Off: 999}} {
		cost(driver.OpOpen, func() error { _, err := read(t, b, "key", r, driver.ReadOptions{}); return err })
	}
	cost(driver.OpList, func() error { _, err := b.ListPage(ctx, driver.ListRequest{}); return err })
	if f.Uploads != nil {
		begin()
		cost(driver.OpListUploads, func() error { _, err := f.Uploads.UploadsPage(ctx, driver.ListRequest{}); return err })
		cost(driver.OpCompleteUpload, func() error { _, err := f.Uploads.CompleteUpload(ctx, u, []driver.Part{p}, driver.Cond{}); return err })
		begin()
		if f.CopyPart != nil {
			cost(driver.OpCopyPart, func() error {
				_, err := f.CopyPart(ctx, u, 2, driver.Source{Key: "key", Range: driver.Range{Len: 5}})
				return err
			})
		}
		cost(driver.OpAbortUpload, func() error { return f.Uploads.AbortUpload(ctx, u) })
	}
	if f.Copy != nil {
		cost(driver.OpCopy, func() error {
			_, err := f.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "key"}, Dst: "copy"})
			return err
		})
	}
	if f.Concat != nil {
		obj := must[driver.Object](t, "Stat")(b.Stat(ctx, "key"))
		cost(driver.OpConcat, func() error {
			_, err := f.Concat(ctx, driver.ConcatRequest{Key: "joined", Sources: []driver.Object{obj, obj}, Options: under(ifAbsent)})
			return err
		})
	}
	if f.Sign != nil {
		cost(driver.OpSign, func() error {
			_, err := f.Sign(ctx, driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute})
			return err
		})
	}
	if f.DeleteBatch != nil {
		cost(driver.OpDeleteBatch, func() error { return f.DeleteBatch(ctx, driver.Refs("parts", "copy", "joined")) })
	}
	cost(driver.OpDelete, func() error { return b.Delete(ctx, "key", driver.DeleteOptions{}) })
	cost(driver.OpDelete, func() error { return b.Delete(ctx, "absent", driver.DeleteOptions{}) })
	if f.Conds.DeleteNotAfter {
		o := driver.DeleteOptions{NotAfter: time.Now().Add(time.Minute)}
		cost(driver.OpDelete, func() error { return b.Delete(ctx, "absent", o) })
	}
}
