package gcs_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

// TestDeleteBatchPartly refuses to delete some of the keys.
func TestDeleteBatchPartly(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Prefix: "p", Endpoint: f.URL, Anonymous: true})
	var keys []string
	for i := range 10 {
		key := fmt.Sprintf("dir/key %d+é", i)
		if _, err := b.Put(t.Context(), key, section("x"), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	f.held = map[string]bool{"p/" + keys[3]: true, "p/" + keys[7]: true}
	err := b.Features().DeleteBatch(t.Context(), driver.Refs(append(keys, "absent")...))
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.Unsupported || e.Key != keys[3] || !strings.Contains(err.Error(), "2 of 11") || e.OutcomeUnknown {
		t.Errorf("got %v, want %v of 2 keys, the first %q", err, driver.Unsupported, keys[3])
	}
	if left := f.names("bucket"); !slices.Equal(left, []string{"p/" + keys[3], "p/" + keys[7]}) {
		t.Errorf("left: %q", left)
	}
}

// TestBatchReplies has servers answer a batch in ways that no deletion follows from.
func TestBatchReplies(t *testing.T) {
	const mixed = "multipart/mixed; boundary=x"
	reply := func(id, status string) string {
		return "--x\r\nContent-Type: application/http\r\nContent-ID: <response-" + id + ">\r\n\r\nHTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"
	}
	for name, tt := range map[string]struct {
		status            int
		contentType, body string
		kind              driver.Kind
	}{
		"all well":       {200, mixed, reply("1", "404 Not Found") + reply("0", "204 No Content") + "--x--", driver.Unknown},
		"one is missing": {200, mixed, reply("0", "204 No Content") + "--x--", driver.Unavailable},
		"one fails":      {200, mixed, reply("0", "204 No Content") + reply("1", "429 Too Many Requests") + "--x--", driver.Throttled},
		"one is busy":    {200, mixed, reply("0", "204 No Content") + reply("1", "503 Service Unavailable") + "--x--", driver.Unavailable},
		"a strange one":  {200, mixed, reply("7", "204 No Content") + "--x--", driver.Unavailable},
		"cut short":      {200, mixed, reply("0", "204 No Content"), driver.Unavailable},
		"no batch":       {200, "text/plain", "ok", driver.Unavailable},
		"refused":        {403, "text/plain", "no", driver.Denied},
	} {
		f := newFake(t, "bucket")
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", tt.contentType)
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
			return true
		}
		b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
		err := b.Features().DeleteBatch(t.Context(), driver.Refs("a", "b"))
		if driver.KindOf(err) != tt.kind || (err == nil) != (tt.kind == driver.Unknown) || driver.OutcomeUnknown(err) != (tt.kind == driver.Unavailable) {
			t.Errorf("%s: got %v, want %v", name, err, tt.kind)
		}
	}
}

// TestBatchTooManyRequests tells an object of a batch that is changed too often from an
// account that sends too much.
func TestBatchTooManyRequests(t *testing.T) {
	const doc = `{"error":{"code":429,"message":"said so","errors":[{"reason":"rateLimitExceeded"}]}}`
	part := fmt.Sprintf("--x\r\nContent-Type: application/http\r\nContent-ID: <response-0>\r\n\r\n"+
		"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s\r\n--x--", len(doc), doc)
	for _, tt := range []struct {
		status            int
		contentType, body string
		keyOnly           bool
	}{
		{200, "multipart/mixed; boundary=x", part, true},
		{429, "application/json", doc, false},
	} {
		f := newFake(t, "bucket")
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", tt.contentType)
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
			return true
		}
		b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
		var e *driver.Error
		if err := b.Features().DeleteBatch(t.Context(), driver.Refs("a")); !errors.As(err, &e) || e.Kind != driver.Throttled || e.KeyOnly != tt.keyOnly || e.KeyOnly && e.RetryAfter != time.Second {
			t.Errorf("%d: got %+v", tt.status, e)
		}
	}
}

// TestDeleteBatchVersions tells another version from an absent object, which the store
// does not.
func TestDeleteBatchVersions(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true, UserProject: "payer"})
	put := func(key string) driver.Object {
		t.Helper()
		obj, err := b.Put(t.Context(), key, section("x"), driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return obj
	}
	gone, old, there := put("gone"), put("old"), put("there")
	put("old")
	if err := b.Delete(t.Context(), "gone", driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var refs []driver.ObjectRef
	for _, obj := range []driver.Object{gone, old, there} {
		refs = append(refs, driver.ObjectRef{Key: obj.Key, Version: obj.Version})
	}
	err := b.Features().DeleteBatch(t.Context(), refs)
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.Mismatch || e.Key != "old" || e.OutcomeUnknown {
		t.Errorf("got %v", err)
	}
	if got := f.names("bucket"); !slices.Equal(got, []string{"old"}) {
		t.Errorf("left %q", got)
	}
}

// TestDeleteNamesGeneration deletes versions in each way: a bucket that keeps versions keeps
// what a deletion does not name.
func TestDeleteNamesGeneration(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: newKey(t).file})
	for name, remove := range map[string]func(driver.Object) error{
		"Delete": func(o driver.Object) error {
			return b.Delete(t.Context(), o.Key, driver.DeleteOptions{IfVersion: o.Version})
		},
		"Delete before": func(o driver.Object) error {
			return b.Delete(t.Context(), o.Key, driver.DeleteOptions{IfVersion: o.Version, NotAfter: time.Now().Add(time.Minute)})
		},
		"DeleteBatch": func(o driver.Object) error {
			return b.Features().DeleteBatch(t.Context(), []driver.ObjectRef{{Key: o.Key, Version: o.Version}})
		},
	} {
		old, err := b.Put(t.Context(), "key", section("old"), driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		obj, err := b.Put(t.Context(), "key", section("new"), driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f.named = nil
		if err := remove(old); !errors.Is(err, driver.Mismatch) || len(f.named) != 0 {
			t.Errorf("%s of a version that was replaced: %v, %d deletions", name, err, len(f.named))
		}
		for range 2 { // the second time there is nothing
			if err := remove(obj); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !slices.Equal(f.named, []bool{true}) {
			t.Errorf("%s: deletions named a generation: %v, want one that does", name, f.named)
		}
	}
}
