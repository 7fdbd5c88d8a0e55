package probe_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/probe"
)

// bucket is one in memory whose objects a server gives to whoever has a signed
// URL, and that names its permissions after its verbs.
func bucket(t *testing.T, edit func(*driver.Features)) driver.Bucket {
	t.Helper()
	b := mem.NewWith(mem.Options{Parts: driver.PartLimits{MinSize: 1}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "signature" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		rd, err := b.Open(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), driver.Range{}, driver.ReadOptions{})
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		defer rd.Close()
		_, _ = io.Copy(w, rd)
	}))
	t.Cleanup(srv.Close)
	return driver.WithFeatures(b, func(f *driver.Features) {
		f.Permissions = make(map[driver.Op]string)
		for _, op := range []driver.Op{
			driver.OpStat, driver.OpOpen, driver.OpPut, driver.OpDelete, driver.OpList, driver.OpCreateUpload, driver.OpPutPart,
			driver.OpCompleteUpload, driver.OpAbortUpload, driver.OpListUploads, driver.OpSign, driver.OpCopy, driver.OpDeleteBatch,
			driver.OpConcat,
		} {
			f.Permissions[op] = "may-" + string(op)
		}
		f.Sign = func(_ context.Context, r driver.SignRequest) (driver.SignedURL, error) {
			return driver.SignedURL{URL: srv.URL + "/" + r.Key + "?signature", Expires: time.Now().Add(r.Expires)}, nil
		}
		if edit != nil {
			edit(f)
		}
	})
}

func results(t *testing.T, b driver.Bucket) map[string]probe.Result {
	t.Helper()
	all := make(map[string]probe.Result)
	for r := range probe.Run(t.Context(), b) {
		all[r.Check] = r
	}
	return all
}

func wantEmpty(t *testing.T, b driver.Bucket) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("left: %s, %v", e.Key, err)
	}
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("left: parts at %s, %v", u.Key, err)
	}
}

func TestAllWell(t *testing.T) {
	b := bucket(t, nil)
	all := results(t, b)
	if len(all) != 17 {
		t.Errorf("%d checks, want 17", len(all))
	}
	for name, r := range all {
		if r.Status != probe.OK || r.Err != nil || r.Grant != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	wantEmpty(t, b)
}

// TestEachPermission lacks one permission at a time, which is named, and no other.
func TestEachPermission(t *testing.T) {
	for op, check := range map[driver.Op]string{
		driver.OpList: "list", driver.OpPut: "put", driver.OpStat: "stat", driver.OpOpen: "read",
		driver.OpPutPart: "upload in parts", driver.OpCompleteUpload: "complete upload", driver.OpListUploads: "list uploads",
		driver.OpAbortUpload: "abort upload", driver.OpCopy: "copy", driver.OpSign: "signed URL",
		driver.OpDelete: "delete", driver.OpDeleteBatch: "delete batch", driver.OpConcat: "join objects",
	} {
		b := bucket(t, nil)
		all := results(t, fault.Wrap(b, fault.Script{{Op: op, Where: fault.Before, Kind: driver.Denied}}))
		r := all[check]
		if r.Status != probe.Failed || !errors.Is(r.Err, driver.Denied) || r.Grant != "may-"+string(op) {
			t.Errorf("without %s: %+v", op, r)
		}
		for name, r := range all {
			if r.Grant != "" && !strings.Contains(r.Err.Error(), string(op)) {
				t.Errorf("without %s: %s wants %s", op, name, r.Grant)
			}
		}
		if op != driver.OpDelete && op != driver.OpAbortUpload {
			wantEmpty(t, b)
		}
	}
}

// ignores is a store that takes conditions and does not look at them.
type ignores struct{ driver.Bucket }

func (b ignores) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	o.Cond = driver.Cond{}
	return b.Bucket.Put(ctx, key, body, o)
}

func (b ignores) Features() driver.Features {
	f := b.Bucket.Features()
	f.Uploads = completes{f.Uploads}
	return f
}

type completes struct{ driver.Uploads }

func (u completes) CompleteUpload(ctx context.Context, up driver.Upload, parts []driver.Part, _ driver.Cond) (driver.Object, error) {
	return u.Uploads.CompleteUpload(ctx, up, parts, driver.Cond{})
}

func TestIgnoredConditions(t *testing.T) {
	b := bucket(t, nil)
	all := results(t, ignores{b})
	for _, name := range []string{"conditional put", "conditional complete"} {
		if r := all[name]; !errors.Is(r.Err, driver.Unsupported) || !strings.Contains(r.Err.Error(), "conditions=none") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	wantEmpty(t, b)
}

func TestUnused(t *testing.T) {
	all := results(t, bucket(t, func(f *driver.Features) {
		f.Conds, f.Copy, f.Sign, f.DeleteBatch, f.Concat = driver.Conds{}, nil, nil, nil, nil
	}))
	for _, name := range []string{"conditional put", "conditional complete", "copy", "signed URL", "delete batch", "join objects"} {
		if r := all[name]; r.Status != probe.Unused || r.Detail == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	all = results(t, bucket(t, func(f *driver.Features) { f.Uploads, f.CopyPart = nil, nil }))
	for _, name := range []string{"upload in parts", "complete upload", "conditional complete", "list uploads", "abort upload"} {
		if r := all[name]; r.Status != probe.Unused || !strings.Contains(r.Detail, "multipart") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// early answers with times of another clock.
type early struct{ driver.Bucket }

func (b early) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := b.Bucket.Put(ctx, key, body, o)
	obj.ModTime = obj.ModTime.Add(-20 * time.Minute)
	return obj, err
}

func TestClocksDiffer(t *testing.T) {
	if r := results(t, early{bucket(t, nil)})["clock"]; r.Err == nil || !strings.Contains(r.Err.Error(), "20m") {
		t.Errorf("got %+v", r)
	}
}

func TestBadSignature(t *testing.T) {
	all := results(t, bucket(t, func(f *driver.Features) {
		sign := f.Sign
		f.Sign = func(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
			u, err := sign(ctx, r)
			u.URL += "-wrong"
			return u, err
		}
	}))
	if r := all["signed URL"]; !errors.Is(r.Err, driver.Denied) || r.Grant != "may-sign" || strings.Contains(r.Err.Error(), "signature-wrong") {
		t.Errorf("got %+v", r)
	}
}
