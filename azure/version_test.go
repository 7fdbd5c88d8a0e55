package azure

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const older = "2025-05-05"

// TestAPIVersion has a store that does not know the newest version of the protocol.
func TestAPIVersion(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		if v := r.Header.Values("X-Ms-Version"); len(v) != 1 || v[0] > older {
			reject(400, "InvalidHeaderValue")(w, r)
			return
		}
		created(w, r)
	}
	b, _ := fakeStore(t, answer)
	everyVerb(t, b, func(op driver.Op, err error) {
		if op == driver.OpAbortUpload || op == driver.OpDelete {
			return
		}
		if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "api_version") {
			t.Errorf("%s: got %v, which does not name the option", op, err)
		}
	})
	b, f := fakeStore(t, answer, func(c *Config) { c.APIVersion = older })
	if _, err := b.Put(t.Context(), "key", section("hello"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _ = b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key"})
	for _, r := range f.take() {
		if at := r.header.Get("X-Ms-Copy-Source"); at != "" && !strings.Contains(at, "sv="+older) {
			t.Errorf("copies from %s", at)
		}
	}
	s, err := b.sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(s.URL); err != nil || u.Query().Get("sv") != older {
		t.Errorf("signed %s, %v", s, err)
	}
}

func TestAPIVersionRange(t *testing.T) {
	for v, ok := range map[string]bool{"": true, oldestVersion: true, older: true, newestVersion: true, "2020-02-10": false, "9999-01-01": false, "latest": false} {
		_, err := Open(t.Context(), Config{Container: "c", Account: "account", Key: testKey, APIVersion: v})
		if (err == nil) != ok || err != nil && !errors.Is(err, driver.Invalid) {
			t.Errorf("%q: %v", v, err)
		}
	}
	// With a user's key the SDK signs for its own version alone.
	if b := openTest(t, Config{Container: "c", Account: "account", APIVersion: older}); b.features.Sign != nil || b.features.Conds.DeleteNotAfter {
		t.Error("signing by user delegation is offered with an older version")
	}
}

// TestEncryptionScope makes every write, each of which has to name the scope.
func TestEncryptionScope(t *testing.T) {
	b, f := fakeStore(t, created, func(c *Config) { c.EncryptionScope = "scope" })
	everyVerb(t, b, func(driver.Op, error) {})
	_, _ = b.copyObject(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: driver.WriteOptions{ContentType: "text/plain"}})
	n := 0
	for _, r := range f.take() {
		if r.method == http.MethodPut {
			n++
			wantHeader(t, r, map[string]string{"X-Ms-Encryption-Scope": "scope"})
		}
	}
	if n != 8 { // two of them by the copy with another type
		t.Errorf("%d writes", n)
	}
}
