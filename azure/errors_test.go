package azure

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func TestKinds(t *testing.T) {
	ifAbsent, ifMatch := driver.Cond{IfAbsent: true}, driver.Cond{IfMatch: `"0x1"`}
	for _, tt := range []struct {
		status         int
		code           string
		cond           driver.Cond
		want           driver.Kind
		outcomeUnknown bool
		hint           string
	}{
		{404, "ContainerNotFound", driver.Cond{}, driver.NoBucket, false, ""},
		{404, "ResourceNotFound", driver.Cond{}, driver.NoBucket, false, "no such account"},
		{409, "ContainerBeingDeleted", driver.Cond{}, driver.NoBucket, false, ""},
		{409, "BlobAlreadyExists", ifAbsent, driver.Exists, false, ""},
		{412, "ConditionNotMet", ifAbsent, driver.Exists, false, ""},
		{412, "ConditionNotMet", ifMatch, driver.Mismatch, false, ""},
		{412, "TargetConditionNotMet", ifAbsent, driver.Exists, false, ""},
		{412, "SourceConditionNotMet", ifAbsent, driver.Mismatch, false, ""},
		{404, "BlobNotFound", ifMatch, driver.Mismatch, false, ""},
		{404, "CannotVerifyCopySource", driver.Cond{}, driver.NotFound, false, ""},
		{412, "CannotVerifyCopySource", ifAbsent, driver.Mismatch, false, ""},
		{403, "CannotVerifyCopySource", driver.Cond{}, driver.Denied, false, ""},
		{403, "AuthenticationFailed", driver.Cond{}, driver.Denied, false, "account's name"},
		{403, "AuthorizationFailure", driver.Cond{}, driver.Denied, false, "firewall"},
		{403, "AuthorizationPermissionMismatch", driver.Cond{}, driver.Denied, false, "roles"},
		{409, "BlobImmutableDueToPolicy", driver.Cond{}, driver.Denied, false, "immutability"},
		{412, "LeaseIdMissing", ifAbsent, driver.Denied, false, "lease"},
		{409, "BlobArchived", driver.Cond{}, driver.Unsupported, false, "archive"},
		{400, "Md5Mismatch", driver.Cond{}, driver.Corrupt, false, ""},
		{400, "Crc64Mismatch", driver.Cond{}, driver.Corrupt, false, ""},
		{400, "InvalidBlobOrBlock", driver.Cond{}, driver.Invalid, false, "another program"},
		{413, "RequestBodyTooLarge", driver.Cond{}, driver.TooLarge, false, ""},
		{403, "AccountSizeOverQuota", ifAbsent, driver.Full, false, ""},
		{507, "InsufficientStorage", driver.Cond{}, driver.Full, false, ""},
		{429, "InternalError", driver.Cond{}, driver.Throttled, false, ""},
		{503, "ServerBusy", driver.Cond{}, driver.Throttled, false, ""},
		{429, "", driver.Cond{}, driver.Throttled, false, ""},
		{500, "OperationTimedOut", driver.Cond{}, driver.Unavailable, true, ""},
		{500, "InternalError", driver.Cond{}, driver.Unavailable, true, ""},
		{502, "", driver.Cond{}, driver.Unavailable, true, ""},
		{403, "", driver.Cond{}, driver.Denied, false, "roles"},
	} {
		b, f := fakeStore(t, reject(tt.status, tt.code, "Retry-After", "7"))
		_, err := b.Put(t.Context(), "key", section("hello"), driver.WriteOptions{Cond: tt.cond})
		var e *driver.Error
		if !errors.As(err, &e) || e.Kind != tt.want || e.OutcomeUnknown != tt.outcomeUnknown || e.Status != tt.status || e.Code != tt.code || e.RequestID != "REQ1" {
			t.Errorf("%d %s: got %+v, want %v", tt.status, tt.code, err, tt.want)
		}
		if !strings.Contains(err.Error(), tt.hint) || strings.Contains(err.Error(), "RequestId") {
			t.Errorf("%d %s: got %v, want hint %q", tt.status, tt.code, err, tt.hint)
		}
		if e != nil && (e.RetryAfter == 7*time.Second) != tt.want.Temporary() {
			t.Errorf("%d %s: RetryAfter %v", tt.status, tt.code, e.RetryAfter)
		}
		if n := len(f.take()); n != 1 {
			t.Errorf("%d %s: %d requests, want 1", tt.status, tt.code, n)
		}
	}
}

// A HEAD has no document; the code is in a header, if anywhere.
func TestKindsOfStat(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   string
		want   driver.Kind
	}{
		{404, "BlobNotFound", driver.NotFound}, {404, "ContainerNotFound", driver.NoBucket}, {404, "ResourceNotFound", driver.NoBucket}, {404, "", driver.NotFound},
		{403, "", driver.Denied}, {503, "", driver.Unavailable}, {429, "", driver.Throttled}, {500, "", driver.Unavailable},
	} {
		b, _ := fakeStore(t, reject(tt.status, tt.code))
		_, err := b.Stat(t.Context(), "key")
		if driver.KindOf(err) != tt.want || driver.OutcomeUnknown(err) {
			t.Errorf("%d %s: got %v, want %v", tt.status, tt.code, err, tt.want)
		}
	}
}

// TestWrongAddress lists where there is no container: an account that does not exist has no host,
// or is none of an emulator's; a server that is no store knows no code.
func TestWrongAddress(t *testing.T) {
	for _, code := range []string{"ResourceNotFound", "ContainerNotFound", ""} {
		b, _ := fakeStore(t, reject(404, code))
		if _, err := b.ListPage(t.Context(), driver.ListRequest{}); !errors.Is(err, driver.NoBucket) {
			t.Errorf("404 %s: got %v, want %v", code, err, driver.NoBucket)
		}
	}
	e := &driver.Error{Op: driver.OpList}
	(&call{}).judge(e, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "acc.blob.core.windows.net", IsNotFound: true}})
	if !errors.Is(e, driver.Unavailable) || !strings.Contains(e.Error(), "no such host") || !strings.Contains(e.Error(), "check account") {
		t.Errorf("got %v", e)
	}
}

func TestClockSkew(t *testing.T) {
	b, _ := fakeStore(t, reject(403, "AuthenticationFailed", "Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)))
	_, err := b.Stat(t.Context(), "key")
	if !errors.Is(err, driver.Denied) || !strings.Contains(err.Error(), "clock") {
		t.Errorf("got %v, want a word on the clocks", err)
	}
}

func TestNoSecrets(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"denied":  reject(403, "AuthenticationFailed"),
		"fault":   reject(500, "InternalError"),
		"no code": reject(502, ""),
		"garbage": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<Broken") },
		"hang up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, edit := range []func(*Config){func(*Config) {}, withSAS} {
			b, _ := fakeStore(t, answer, edit)
			everyVerb(t, b, func(op driver.Op, err error) {
				var e *driver.Error
				if err != nil && (!errors.As(err, &e) || e.Op != op) {
					t.Errorf("%s: %s: got %v", name, op, err)
				}
				if err == nil && name != "garbage" {
					t.Errorf("%s: %s: no error", name, op)
				}
				for inner := err; inner != nil; inner = errors.Unwrap(inner) {
					noSecrets(t, inner)
				}
			})
		}
	}
	c := Config{Container: "container", Account: "account", Key: testKey}
	if text := c.String(); strings.Contains(text, testKey) {
		t.Errorf("String has the key: %s", text)
	}
	for _, c := range []Config{
		{Container: "container", Account: "account", Key: "not base64 " + testToken},
		{Container: "container", ConnectionString: "AccountKey=" + testToken + ";" + testToken},
		{Container: "container", Endpoint: "https://user:" + testToken + "@host"},
		{Container: "container", Endpoint: "https://host/?sig=" + testToken},
	} {
		_, err := Open(t.Context(), c)
		if !errors.Is(err, driver.Invalid) {
			t.Errorf("Open: got %v, want %v", err, driver.Invalid)
		}
		noSecrets(t, err)
	}
}

func TestLostReply(t *testing.T) {
	b, _ := fakeStore(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	everyVerb(t, b, func(op driver.Op, err error) {
		if driver.KindOf(err) != driver.Unavailable || driver.OutcomeUnknown(err) != op.Changes() {
			t.Errorf("%s: got %v", op, err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	hang := make(chan struct{})
	b, _ = fakeStore(t, func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	_, err := b.Put(ctx, "key", section("hello"), driver.WriteOptions{})
	if !errors.Is(err, context.DeadlineExceeded) || !driver.OutcomeUnknown(err) {
		t.Errorf("time-out: got %v", err)
	}
}

func TestStall(t *testing.T) {
	release := make(chan struct{})
	b, _ := fakeStore(t, func(http.ResponseWriter, *http.Request) { <-release }, func(c *Config) { c.StallTimeout = 50 * time.Millisecond })
	defer close(release)
	_, err := b.Put(t.Context(), "key", section("hello"), driver.WriteOptions{})
	if driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) || driver.IsContextError(err) {
		t.Errorf("reply that never comes: got %v", err)
	}
}
