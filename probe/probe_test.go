package probe_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
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
	b := mem.NewWith(mem.Options{Parts: driver.PartLimits{MinSize: 1}, Unversioned: true})
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
			driver.OpConcat, driver.OpCopyPart,
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
	if len(all) != 19 {
		t.Errorf("%d checks, want 19", len(all))
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
		driver.OpAbortUpload: "abort upload", driver.OpCopy: "copy", driver.OpCopyPart: "copy part", driver.OpSign: "signed URL",
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

// unlawful is a store whose conditional writes end by what breaks says: nil carries them
// out without their condition.
type unlawful struct {
	driver.Bucket
	breaks func(op driver.Op, c driver.Cond) (err error, broken bool)
}

func (b unlawful) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	if err, broken := b.breaks(driver.OpPut, o.Cond); broken && !o.Cond.IsZero() {
		if err != nil {
			return driver.Object{}, err
		}
		o.Cond = driver.Cond{}
	}
	return b.Bucket.Put(ctx, key, body, o)
}

func (b unlawful) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	if err, broken := b.breaks(driver.OpDelete, driver.Cond{IfMatch: o.IfVersion}); broken && o.IfVersion != "" {
		if err != nil {
			return err
		}
		o.IfVersion = ""
	}
	return b.Bucket.Delete(ctx, key, o)
}

func (b unlawful) Features() driver.Features {
	f := b.Bucket.Features()
	f.Uploads = unlawfulUploads{f.Uploads, b.breaks}
	copyObject := f.Copy
	f.Copy = func(ctx context.Context, r driver.CopyRequest) (driver.Object, error) {
		if err, broken := b.breaks(driver.OpCopy, r.Options.Cond); broken && !r.Options.Cond.IsZero() {
			if err != nil {
				return driver.Object{}, err
			}
			r.Options.Cond = driver.Cond{}
		}
		return copyObject(ctx, r)
	}
	return f
}

type unlawfulUploads struct {
	driver.Uploads
	breaks func(op driver.Op, c driver.Cond) (error, bool)
}

func (u unlawfulUploads) CompleteUpload(ctx context.Context, up driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	if err, broken := u.breaks(driver.OpCompleteUpload, c); broken && !c.IsZero() {
		if err != nil {
			return driver.Object{}, err
		}
		c = driver.Cond{}
	}
	return u.Uploads.CompleteUpload(ctx, up, parts, c)
}

func TestConditions(t *testing.T) {
	refused := &driver.Error{Kind: driver.Unsupported, Status: 501}
	unmet := &driver.Error{Kind: driver.Mismatch, Status: 412}
	for _, tt := range []struct {
		name   string
		breaks func(op driver.Op, c driver.Cond) (error, bool)
		want   string
		gaps   int
	}{
		{"all are honoured", func(driver.Op, driver.Cond) (error, bool) { return nil, false }, "put-if-absent,put-if-match,complete-if-absent,complete-if-match,copy-if-absent,copy-if-match,concat-if-absent,concat-if-match,delete-if-match", 0},
		{"all are ignored", func(driver.Op, driver.Cond) (error, bool) { return nil, true }, "concat-if-absent,concat-if-match", 7},
		{"all are refused", func(driver.Op, driver.Cond) (error, bool) { return refused, true }, "concat-if-absent,concat-if-match", 7},
		{"no ETag matches", func(_ driver.Op, c driver.Cond) (error, bool) { return unmet, c.IfMatch != "" },
			"put-if-absent,complete-if-absent,copy-if-absent,concat-if-absent,concat-if-match", 4},
		{"on Put alone", func(op driver.Op, _ driver.Cond) (error, bool) { return nil, op != driver.OpPut },
			"put-if-absent,put-if-match,concat-if-absent,concat-if-match", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bucket(t, nil)
			got, gaps, err := probe.Conditions(t.Context(), unlawful{b, tt.breaks})
			if err != nil || got.List() != tt.want || len(gaps) != tt.gaps {
				t.Errorf("got %s, %d gaps %v, %v; want %s, %d gaps", got.List(), len(gaps), gaps, err, tt.want, tt.gaps)
			}
			wantEmpty(t, b)
		})
	}
}

// TestConditionsUnknown has other failures, which say nothing about conditions.
func TestConditionsUnknown(t *testing.T) {
	for _, kind := range []driver.Kind{driver.Denied, driver.Unavailable, driver.Throttled} {
		for _, op := range []driver.Op{driver.OpPut, driver.OpCreateUpload, driver.OpCompleteUpload, driver.OpCopy, driver.OpDelete} {
			b := fault.Wrap(bucket(t, nil), fault.Script{{Op: op, Where: fault.Before, Kind: kind}})
			if _, gaps, err := probe.Conditions(t.Context(), b); !errors.Is(err, kind) || len(gaps) != 0 {
				t.Errorf("%s is %v: gaps %v, error %v", op, kind, gaps, err)
			}
		}
	}
}

func TestConditionsCheck(t *testing.T) {
	b := bucket(t, nil)
	all := results(t, unlawful{b, func(driver.Op, driver.Cond) (error, bool) { return nil, true }})
	if r := all["conditions"]; !errors.Is(r.Err, driver.Unsupported) || !strings.Contains(r.Detail, "conditions=") {
		t.Errorf("%+v", r)
	}
	wantEmpty(t, b)
}

// TestAdapt opens a store that tells its profile, and is another one under it.
func TestAdapt(t *testing.T) {
	var opened []string
	got, err := probe.Adapt(t.Context(), func(_ context.Context, more driver.Overrides) (driver.Bucket, error) {
		opened = append(opened, more["profile"])
		b := bucket(t, func(f *driver.Features) {
			if more["profile"] == "" {
				f.Identify = func(context.Context) (string, error) { return "ceph", nil }
			}
		})
		return unlawful{b, func(op driver.Op, c driver.Cond) (error, bool) { return nil, op == driver.OpCopy }}, nil
	})
	if err != nil || got.Options["profile"] != "ceph" || len(got.Gaps) != 2 || strings.Contains(got.Options["conditions"], "copy") || len(opened) != 2 {
		t.Errorf("got %+v and %v after %q", got, err, opened)
	}
}

// TestNoPartCopy finds a store that refuses to copy parts, where the documents of the store
// don't tell. A store that denies it, or is busy, says nothing.
func TestNoPartCopy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     *driver.Error // of part copies
		known   bool          // the configuration tells which store it is
		lacking bool
		unclear bool
	}{
		{"copies", nil, false, false, false},
		{"refuses", &driver.Error{Kind: driver.Invalid, Status: 411}, false, true, false},
		{"refuses, of a known kind", &driver.Error{Kind: driver.Invalid, Status: 411}, true, false, false},
		{"denies", &driver.Error{Kind: driver.Denied, Status: 403}, false, false, true},
		{"is busy", &driver.Error{Kind: driver.Unavailable, Status: 503}, false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bucket(t, func(f *driver.Features) {
				copyPart := f.CopyPart
				f.CopyPart = func(ctx context.Context, u driver.Upload, n int, src driver.Source) (driver.Part, error) {
					if tt.err != nil {
						return driver.Part{}, tt.err
					}
					return copyPart(ctx, u, n, src)
				}
				if !tt.known {
					f.Identify = func(context.Context) (string, error) { return "", nil }
				}
			})
			got, err := probe.Adapt(t.Context(), func(context.Context, driver.Overrides) (driver.Bucket, error) { return b, nil })
			if lacking := got.NoPartCopy != nil; lacking != tt.lacking || lacking != (got.Options["part_copy"] == "false") || (err != nil) != tt.unclear {
				t.Errorf("got %+v, %v", got, err)
			}
			wantEmpty(t, b)
			if r := results(t, b)["copy part"]; (r.Status == probe.Failed) != (tt.err != nil) || strings.Contains(r.Detail, "part_copy=false") != (tt.err != nil && !tt.unclear) {
				t.Errorf("check: %+v", r)
			}
		})
	}
}

// lenient completes every upload.
type lenient struct{ driver.Uploads }

func (u lenient) CompleteUpload(ctx context.Context, up driver.Upload, parts []driver.Part, c driver.Cond) (driver.Object, error) {
	obj, err := u.Uploads.CompleteUpload(ctx, up, parts, c)
	if err != nil && c.IsZero() {
		return driver.Object{Key: up.Key}, u.AbortUpload(ctx, up)
	}
	return obj, err
}

func TestPartNumbers(t *testing.T) {
	b := bucket(t, nil)
	if r := results(t, b)["part numbers"]; r.Status != probe.OK || !strings.HasPrefix(r.Detail, "gaps are refused, unnamed parts are refused") {
		t.Errorf("a store that refuses both: %+v", r)
	}
	r := results(t, driver.WithFeatures(b, func(f *driver.Features) { f.Uploads = lenient{f.Uploads} }))["part numbers"]
	if r.Status != probe.OK || !strings.HasPrefix(r.Detail, "gaps are accepted, unnamed parts are accepted") {
		t.Errorf("a store that takes all: %+v", r)
	}
	wantEmpty(t, b)
}

// rated holds a second write of a key up for the rest of a second, or has it fail.
type rated struct {
	driver.Bucket
	fails bool
	last  map[string]time.Time
}

func (b rated) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	if left := time.Second - time.Since(b.last[key]); left > 0 {
		if b.fails {
			return driver.Object{}, &driver.Error{Op: driver.OpPut, Key: key, Kind: driver.Throttled, Status: 429}
		}
		time.Sleep(left)
	}
	b.last[key] = time.Now()
	return b.Bucket.Put(ctx, key, body, o)
}

func TestSecondWrite(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := driver.WithFeatures(mem.New(), func(f *driver.Features) { f.Conds = driver.Conds{} })
			if r := results(t, rated{b, fails, make(map[string]time.Time)})["second write"]; r.Status != probe.Advised || r.Err != nil {
				t.Errorf("throttled, failing %v: %+v", fails, r)
			}
		})
	}
}

func TestUnused(t *testing.T) {
	all := results(t, bucket(t, func(f *driver.Features) {
		f.Conds, f.Copy, f.Sign, f.DeleteBatch, f.Concat = driver.Conds{}, nil, nil, nil, nil
	}))
	for _, name := range []string{"conditions", "copy", "signed URL", "delete batch", "join objects"} {
		if r := all[name]; r.Status != probe.Unused || r.Detail == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	all = results(t, bucket(t, func(f *driver.Features) { f.Uploads, f.CopyPart = nil, nil }))
	for _, name := range []string{"upload in parts", "complete upload", "list uploads", "abort upload"} {
		if r := all[name]; r.Status != probe.Unused || !strings.Contains(r.Detail, "multipart") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestSignedThroughTransport fetches a signed URL of a server whose authority the driver's
// transport knows, and nobody else.
func TestSignedThroughTransport(t *testing.T) {
	for _, known := range []bool{true, false} {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = io.WriteString(w, "written by blobdock probe, safe to delete\n")
		}))
		all := results(t, bucket(t, func(f *driver.Features) {
			if known {
				f.Transport = srv.Client().Transport
			}
			f.Sign = func(_ context.Context, r driver.SignRequest) (driver.SignedURL, error) {
				return driver.SignedURL{URL: srv.URL + "/" + r.Key + "?signature", Expires: time.Now().Add(r.Expires)}, nil
			}
		}))
		if r := all["signed URL"]; (r.Err == nil) != known {
			t.Errorf("authority is known: %t: %+v", known, r)
		}
		srv.Close()
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

// unwritten fails the test for whatever changes the store.
type unwritten struct {
	driver.Bucket
	t *testing.T
}

func (b unwritten) Put(context.Context, string, *io.SectionReader, driver.WriteOptions) (driver.Object, error) {
	b.t.Error("Put")
	return driver.Object{}, driver.Denied
}

func (b unwritten) Delete(context.Context, string, driver.DeleteOptions) error {
	b.t.Error("Delete")
	return driver.Denied
}

func TestLook(t *testing.T) {
	for ahead, want := range map[time.Duration]probe.Status{time.Second: probe.OK, time.Hour: probe.Failed} {
		b := unwritten{bucket(t, func(f *driver.Features) {
			f.Now = func() time.Time { return time.Now().Add(ahead) }
			f.Settings = func(context.Context) ([]driver.BucketSetting, error) {
				return []driver.BucketSetting{{Name: driver.SoftDelete, Value: "on"}}, nil
			}
		}), t}
		got := make(map[string]probe.Status)
		for r := range probe.Look(t.Context(), b) {
			got[r.Check] = r.Status
		}
		all := map[string]probe.Status{"list": probe.OK, "clock": want, "list uploads": probe.OK, driver.SoftDelete: probe.OK}
		if !maps.Equal(got, all) {
			t.Errorf("%v ahead: got %v, want %v", ahead, got, all)
		}
		wantEmpty(t, b)
	}
}
