package s3

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// deadlineOf is when the signature of a presigned request expires.
func deadlineOf(t testing.TB, uri string) time.Time {
	t.Helper()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("20060102T150405Z", u.Query().Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	life, err := strconv.Atoi(u.Query().Get("X-Amz-Expires"))
	if err != nil {
		t.Fatal(err)
	}
	return at.Add(time.Duration(life) * time.Second)
}

func TestDeleteNotAfter(t *testing.T) {
	aws := func(c *Config) { c.Profile, c.PathStyle = "aws", new(true) }
	redirect := func(c *Config) { c.RedirectEndpoint = "https://elsewhere.example.com" }
	b, f := fakeStore(t, serve(204, ""), aws, redirect)
	for range 20 { // at as many fractions of a second
		notAfter := time.Now().Add(10*time.Second + 300*time.Millisecond)
		for _, version := range []string{"", "v1", `"e"`} {
			if err := b.Delete(t.Context(), "a b/+key", driver.DeleteOptions{NotAfter: notAfter, IfVersion: version}); err != nil {
				t.Fatalf("version %q: %v", version, err)
			}
			got := f.take()
			if len(got) != 1 || got[0].method != http.MethodDelete || !strings.HasPrefix(got[0].uri, "/bucket/a%20b/%2Bkey?") {
				t.Fatalf("version %q: requests are %v", version, got)
			}
			r := got[0]
			if end := deadlineOf(t, r.uri); end.After(notAfter) || notAfter.Sub(end) >= 2*time.Second {
				t.Errorf("version %q: the signature expires %v before NotAfter", version, notAfter.Sub(end))
			}
			q, _ := url.ParseQuery(r.uri[strings.Index(r.uri, "?")+1:])
			signed := strings.Split(q.Get("X-Amz-SignedHeaders"), ";")
			match, id := "", ""
			if isETag(version) {
				match = version
			} else {
				id = version
			}
			if r.header.Get("If-Match") != match || q.Get("versionId") != id || match != "" && !strings.Contains(strings.Join(signed, " "), "if-match") {
				t.Errorf("version %q: request is %v", version, r)
			}
			if r.header.Get("Authorization") != "" {
				t.Errorf("version %q: signed twice", version)
			}
		}
		time.Sleep(53 * time.Millisecond)
	}
}

func TestDeleteRefuses(t *testing.T) {
	soon := time.Now().Add(time.Minute)
	for _, tt := range []struct {
		name string
		edit func(*Config)
		o    driver.DeleteOptions
		want driver.Kind
	}{
		{"ETag on MinIO", func(*Config) {}, driver.DeleteOptions{IfVersion: `"e"`}, driver.Unsupported},
		{"ETag without conditions", func(c *Config) { c.Profile, c.Conditions = "aws", ConditionsNone }, driver.DeleteOptions{IfVersion: `"e"`}, driver.Unsupported},
		{"deadline without a signature", func(c *Config) {
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Anonymous = "", "", "", true
		}, driver.DeleteOptions{NotAfter: soon}, driver.Unsupported},
		{"past", func(*Config) {}, driver.DeleteOptions{NotAfter: time.Now().Add(-time.Second)}, driver.Invalid},
		{"less than a second", func(*Config) {}, driver.DeleteOptions{NotAfter: time.Now().Add(900 * time.Millisecond)}, driver.Invalid},
	} {
		b, f := fakeStore(t, serve(204, ""), tt.edit)
		if err := b.Delete(t.Context(), "key", tt.o); driver.KindOf(err) != tt.want || len(f.take()) != 0 {
			t.Errorf("%s: got %v, want %v and no request", tt.name, err, tt.want)
		}
	}
}

func TestDeleteKinds(t *testing.T) {
	past := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { time.Sleep(2100 * time.Millisecond); h(w, r) }
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		left   time.Duration
		kind   driver.Kind
		may    bool
	}{
		{"absent", reject(404, "NoSuchKey", ""), time.Minute, driver.Unknown, false},
		{"another version", reject(412, "PreconditionFailed", ""), time.Minute, driver.Mismatch, false},
		{"missing bucket", reject(404, "NoSuchBucket", ""), time.Minute, driver.NoBucket, false},
		{"denied", reject(403, "AccessDenied", ""), time.Minute, driver.Denied, false},
		{"expired", past(reject(403, "AccessDenied", "<Expires>now</Expires>")), 2 * time.Second, driver.Invalid, false},
		{"busy", reject(503, "SlowDown", ""), time.Minute, driver.Throttled, false},
		{"inner fault", reject(500, "InternalError", ""), time.Minute, driver.Unavailable, true},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, time.Minute, driver.Unavailable, true},
	} {
		b, _ := fakeStore(t, tt.answer, func(c *Config) { c.Profile, c.PathStyle = "aws", new(true) })
		err := b.Delete(t.Context(), "key", driver.DeleteOptions{IfVersion: `"e"`, NotAfter: time.Now().Add(tt.left)})
		if driver.KindOf(err) != tt.kind || driver.OutcomeUnknown(err) != tt.may || tt.kind == driver.Unknown && err != nil {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.kind)
		}
		noSecrets(t, err)
	}
}

func TestDeleteBatchVersions(t *testing.T) {
	b, f := fakeStore(t, serve(200, `<DeleteResult/>`))
	if err := b.features.DeleteBatch(t.Context(), []driver.ObjectRef{{Key: "a", Version: "v1"}, {Key: "b"}}); err != nil {
		t.Fatal(err)
	}
	if body := string(f.take()[0].body); !strings.Contains(body, "<Key>a</Key><VersionId>v1</VersionId>") || strings.Count(body, "VersionId") != 2 {
		t.Errorf("body is %s", body)
	}
	err := b.features.DeleteBatch(t.Context(), []driver.ObjectRef{{Key: "a", Version: `"e"`}})
	if !errors.Is(err, driver.Unsupported) || len(f.take()) != 0 {
		t.Errorf("an ETag in a batch: %v", err)
	}
}

func TestVersions(t *testing.T) {
	for id, want := range map[string]string{"v1": "v1", "null": "", "": ""} {
		b, _ := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if id != "" {
				w.Header().Set("X-Amz-Version-Id", id)
			}
			answers(w, r)
		})
		check := func(what string, obj driver.Object, err error) {
			t.Helper()
			if err != nil || obj.Version != want {
				t.Errorf("version id %q: %s says %q, %v", id, what, obj.Version, err)
			}
		}
		ctx := t.Context()
		obj, err := b.Put(ctx, "key", section("x"), driver.WriteOptions{})
		check("Put", obj, err)
		obj, err = b.Stat(ctx, "key")
		check("Stat", obj, err)
		rd, err := b.Open(ctx, "key", driver.Range{}, driver.ReadOptions{})
		if err == nil {
			_ = rd.Close()
			check("Open", rd.Object, err)
		}
		obj, err = b.CompleteUpload(ctx, testUpload, []driver.Part{{Number: 1, Size: 5, ETag: `"e"`}}, free)
		check("CompleteUpload", obj, err)
		obj, err = b.features.Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key"})
		check("Copy", obj, err)
	}
}

// TestOutcomeUnknown has a store, or a proxy before it, answer 200 and nothing else.
func TestOutcomeUnknown(t *testing.T) {
	b, _ := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	everyVerb(t, b, func(op driver.Op, err error) {
		switch op {
		case driver.OpPut, driver.OpCreateUpload, driver.OpPutPart, driver.OpCompleteUpload, driver.OpCopy, driver.OpCopyPart:
			if driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) {
				t.Errorf("%s: got %v, want an unknown outcome", op, err)
			}
		}
	})
}

// TestTooManyRequests checks that 429 is throttling whatever its code says, and which of
// it is of one key alone.
func TestTooManyRequests(t *testing.T) {
	for profile, limited := range map[string]bool{"r2": true, "minio": false} {
		for _, code := range []string{"ServiceUnavailable", "InternalError", ""} {
			b, _ := fakeStore(t, reject(429, code, ""), func(c *Config) { c.Profile = profile })
			everyVerb(t, b, func(op driver.Op, err error) {
				keyOnly := limited && (op == driver.OpPut || op == driver.OpDelete || op == driver.OpCompleteUpload || op == driver.OpCopy)
				var e *driver.Error
				if !errors.As(err, &e) || e.Kind != driver.Throttled || e.OutcomeUnknown || e.KeyOnly != keyOnly || e.KeyOnly && e.RetryAfter != time.Second {
					t.Errorf("%s, %s, code %q: got %+v", profile, op, code, e)
				}
			})
		}
	}
}
