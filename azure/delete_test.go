package azure

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func deleted(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

func TestDeleteOnTheWire(t *testing.T) {
	b, f := fakeStore(t, deleted, func(c *Config) { c.RedirectEndpoint = "https://elsewhere.example.com" })
	for i := range 10 {
		notAfter := time.Now().Add(10*time.Second + time.Duration(i)*111*time.Millisecond)
		for _, o := range []driver.DeleteOptions{{}, {IfVersion: `"0x1"`}, {NotAfter: notAfter}, {IfVersion: `"0x1"`, NotAfter: notAfter}} {
			if err := b.Delete(t.Context(), "a b/+key", o); err != nil {
				t.Fatal(err)
			}
			got := f.take()
			if len(got) != 1 {
				t.Fatalf("%+v: requests are %v", o, got)
			}
			r := got[0]
			path, query, _ := strings.Cut(r.uri, "?")
			if at, err := url.PathUnescape(path); err != nil || r.method != http.MethodDelete || at != "/account/container/a b/+key" {
				t.Errorf("%+v: %s of %q, %v", o, r.method, at, err)
			}
			if r.header.Get("If-Match") != o.IfVersion || r.header.Get("X-Ms-Delete-Snapshots") != "include" {
				t.Errorf("%+v: headers are %v", o, r.header)
			}
			q, _ := url.ParseQuery(query)
			if signed := q.Has("sig"); signed != !o.NotAfter.IsZero() || signed == (r.header.Get("Authorization") != "") {
				t.Errorf("%+v: signed by URL %t, by header %q", o, signed, r.header.Get("Authorization"))
			}
			if o.NotAfter.IsZero() {
				continue
			}
			end, err := time.Parse(time.RFC3339, q.Get("se"))
			if err != nil || end.After(notAfter) || notAfter.Sub(end) >= time.Second || q.Get("sp") != "d" {
				t.Errorf("%+v: the signature is for %q and ends %v before NotAfter (%v)", o, q.Get("sp"), notAfter.Sub(end), err)
			}
		}
	}
}

func TestDeleteByUserDelegation(t *testing.T) {
	b, f := tokenStore(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deleted(w, r)
			return
		}
		userKey(w, r)
	}, tokens{})
	for range 2 {
		if err := b.Delete(t.Context(), "key", driver.DeleteOptions{NotAfter: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.take(); len(got) != 3 || !strings.Contains(got[1].uri, "skoid=oid") || got[1].header.Get("Authorization") != "" {
		t.Errorf("requests are %v, want one for a key and two deletes", got)
	}
}

func TestDeleteKinds(t *testing.T) {
	late := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2100 * time.Millisecond)
		reject(403, "AuthenticationFailed")(w, r)
	}
	then := func(head, other http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				head(w, r)
				return
			}
			other(w, r)
		}
	}
	there := func(http.ResponseWriter, *http.Request) {}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		o      driver.DeleteOptions
		kind   driver.Kind
		may    bool
	}{
		{"absent", reject(404, "BlobNotFound"), driver.DeleteOptions{IfVersion: `"e"`}, driver.Unknown, false},
		{"another version", then(there, reject(412, "ConditionNotMet")), driver.DeleteOptions{IfVersion: `"e"`}, driver.Mismatch, false},
		{"absent, told as another version", then(reject(404, "BlobNotFound"), reject(412, "ConditionNotMet")), driver.DeleteOptions{IfVersion: `"e"`}, driver.Unknown, false},
		{"missing container", reject(404, "ContainerNotFound"), driver.DeleteOptions{}, driver.NoBucket, false},
		{"expired", late, driver.DeleteOptions{NotAfter: time.Now().Add(2 * time.Second)}, driver.Invalid, false},
		{"denied", reject(403, "AuthenticationFailed"), driver.DeleteOptions{NotAfter: time.Now().Add(time.Hour)}, driver.Denied, false},
		{"inner fault", reject(500, "InternalError"), driver.DeleteOptions{NotAfter: time.Now().Add(time.Hour)}, driver.Unavailable, true},
	} {
		b, _ := fakeStore(t, tt.answer)
		if !tt.o.NotAfter.IsZero() && tt.kind == driver.Invalid {
			tt.o.NotAfter = time.Now().Add(2 * time.Second)
		}
		err := b.Delete(t.Context(), "key", tt.o)
		if driver.KindOf(err) != tt.kind || driver.OutcomeUnknown(err) != tt.may || tt.kind == driver.Unknown && err != nil {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.kind)
		}
		noSecrets(t, err)
	}
	b, f := fakeStore(t, deleted, withSAS)
	if err := b.Delete(t.Context(), "key", driver.DeleteOptions{NotAfter: time.Now().Add(time.Minute)}); driver.KindOf(err) != driver.Unsupported || len(f.take()) != 0 {
		t.Errorf("with somebody else's signature: %v", err)
	}
}

// TestDeleteBatchVersions checks what a batch sends.
func TestDeleteBatchVersions(t *testing.T) {
	b, f := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "multipart/mixed; boundary=b")
		w.WriteHeader(http.StatusAccepted)
		for i := range 2 {
			_, _ = fmt.Fprintf(w, "--b\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", i)
		}
		_, _ = io.WriteString(w, "--b--\r\n")
	})
	if err := b.features.DeleteBatch(t.Context(), []driver.ObjectRef{{Key: "a", Version: `"0x1"`}, {Key: "b"}}); err != nil {
		t.Fatal(err)
	}
	if body := f.take()[0].body; strings.Count(strings.ToLower(body), "if-match: \"0x1\"") != 1 {
		t.Errorf("body is %s", body)
	}
}

// TestOutcomeUnknown has a store, or a proxy before it, answer success and nothing else.
func TestOutcomeUnknown(t *testing.T) {
	for _, status := range []int{200, 201, 202} {
		b, _ := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		everyVerb(t, b, func(op driver.Op, err error) {
			switch op {
			case driver.OpPut, driver.OpCompleteUpload, driver.OpCopy:
				if driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) {
					t.Errorf("status %d, %s: got %v, want an unknown outcome", status, op, err)
				}
			}
		})
	}
}

func TestTooManyRequests(t *testing.T) {
	for _, code := range []string{"", "InternalError", "ServerBusy"} {
		b, _ := fakeStore(t, reject(429, code))
		everyVerb(t, b, func(op driver.Op, err error) {
			if op == driver.OpCreateUpload || op == driver.OpAbortUpload {
				return // no requests
			}
			if driver.KindOf(err) != driver.Throttled || driver.OutcomeUnknown(err) {
				t.Errorf("%s: got %v", fmt.Sprint(op, " ", code), err)
			}
		})
	}
}
