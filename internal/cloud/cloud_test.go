package cloud

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func TestSpanHeader(t *testing.T) {
	const maxInt = 1<<63 - 1
	for _, tt := range []struct {
		r    driver.Range
		want string
	}{
		{driver.Range{}, ""},
		{driver.Range{Len: 5}, "bytes=0-4"},
		{driver.Range{Off: 1}, "bytes=0-"},
		{driver.Range{Off: 10, Len: 5}, "bytes=9-14"},
		{driver.Range{Off: 10, Len: maxInt}, "bytes=9-"},
		{driver.Range{Off: maxInt}, "bytes=9223372036854775806-"},
	} {
		s, err := NewSpan(tt.r)
		if got := s.Header(); got != tt.want || err != nil {
			t.Errorf("%+v: got %q and %v, want %q", tt.r, got, err, tt.want)
		}
	}
	if _, err := NewSpan(driver.Range{Off: -1}); !errors.Is(err, driver.Invalid) {
		t.Errorf("negative: got %v, want %v", err, driver.Invalid)
	}
}

// body tells whether it was closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

func TestDeliver(t *testing.T) {
	for _, tt := range []struct {
		name         string
		r            driver.Range
		status       int
		contentRange string
		sent         string
		want         string
		openErr      error
		readErr      error
	}{
		{name: "all", status: 200, sent: "hello", want: "hello"},
		{name: "rest", r: driver.Range{Off: 3}, status: 206, contentRange: "bytes 2-4/5", sent: "llo", want: "lo"},
		{name: "nothing at the end", r: driver.Range{Off: 5}, status: 206, contentRange: "bytes 4-4/5", sent: "o"},
		{name: "the first of all", r: driver.Range{Len: 2}, status: 200, sent: "hello", want: "he"},
		{name: "range is ignored", r: driver.Range{Off: 2}, status: 200, sent: "hello", openErr: driver.Unsupported},
		{name: "another range", r: driver.Range{Off: 2}, status: 206, contentRange: "bytes 3-4/5", sent: "lo", openErr: driver.Unsupported},
		{name: "no range", r: driver.Range{Len: 2}, status: 206, sent: "he", openErr: driver.Unsupported},
		{name: "no size", r: driver.Range{Off: 2}, status: 206, contentRange: "bytes 1-4/*", sent: "ello", openErr: driver.Unsupported},
		{name: "ends before it begins", r: driver.Range{Off: 1}, status: 206, contentRange: "bytes 0-4/5", openErr: io.ErrUnexpectedEOF},
		{name: "ends early", status: 200, sent: "hel", want: "hel", readErr: io.ErrUnexpectedEOF},
		{name: "longer than announced", r: driver.Range{Len: 2}, status: 206, contentRange: "bytes 0-1/5", sent: "hello", want: "he"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Call{Status: tt.status, Header: http.Header{"Content-Range": {tt.contentRange}}}
			s, err := NewSpan(tt.r)
			if err != nil {
				t.Fatal(err)
			}
			b := &body{Reader: strings.NewReader(tt.sent)}
			r, err := c.Deliver(s, b, driver.Object{Key: "key", Size: 5})
			if !errors.Is(err, tt.openErr) || b.closed != (err != nil) {
				t.Fatalf("got %v, closed %v; want %v", err, b.closed, tt.openErr)
			}
			if err != nil {
				return
			}
			got, err := io.ReadAll(r)
			if string(got) != tt.want || !errors.Is(err, tt.readErr) || r.Object.Size != 5 {
				t.Errorf("got %q of %d bytes and %v, want %q of 5 and %v", got, r.Object.Size, err, tt.want, tt.readErr)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0,
		"Tue, 01 Jan 2030 00:00:30 GMT": 30 * time.Second, "Mon, 31 Dec 2029 00:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: got %v, want %v", v, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {"7"}, "X-Ms-Retry-After-Ms": {"250"}}, now); got != 250*time.Millisecond {
		t.Errorf("milliseconds: got %v", got)
	}
}

func judge(kind driver.Kind) func(*driver.Error) {
	return func(e *driver.Error) { e.Kind = kind }
}

// A reply that came tells what happened, though the context ended meanwhile.
func TestReplyBeforeContextEnds(t *testing.T) {
	for status, want := range map[int]driver.Kind{412: driver.Exists, 0: driver.Unknown} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := &Call{Op: driver.OpPut, Key: "key", Status: status}
		c.sent.Store(true)
		err := c.Fail(ctx, errors.New("some error"), judge(driver.Exists))
		if driver.KindOf(err) != want || driver.OutcomeUnknown(err) != (status == 0) || driver.IsContextError(err) != (status == 0) {
			t.Errorf("status %d: got %v", status, err)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		op     driver.Op
		sent   bool
		status int
		want   bool
	}{
		{"reply lost", driver.OpPut, true, 0, true},
		{"never sent", driver.OpPut, false, 0, false},
		{"success that can't be read", driver.OpCompleteUpload, true, 200, true},
		{"inner fault", driver.OpPut, true, 500, true},
		{"refused", driver.OpPut, true, 408, false},
		{"only looks", driver.OpStat, true, 0, false},
	} {
		c := &Call{Op: tt.op, Key: "key", Status: tt.status}
		c.sent.Store(tt.sent)
		if err := c.Fail(t.Context(), io.ErrUnexpectedEOF, judge(driver.Unavailable)); driver.OutcomeUnknown(err) != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, driver.OutcomeUnknown(err), tt.want)
		}
	}
}

// What the transport reports of a request holds its URL, which may be signed.
func TestUnansweredHidesURL(t *testing.T) {
	c := &Call{Op: driver.OpStat, Key: "key"}
	sent := &url.Error{Op: "Get", URL: "http://store/?sig=secret", Err: &net.OpError{
		Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: context.DeadlineExceeded,
	}}
	err := c.Fail(t.Context(), sent, func(e *driver.Error) { c.Unanswered(e, sent) })
	if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "127.0.0.1:9") {
		t.Errorf("message %q, want the address without the URL", err)
	}
	var u *url.Error
	if errors.As(err, &u) || driver.IsContextError(err) || driver.KindOf(err) != driver.Unavailable {
		t.Errorf("got %#v, want %v without the URL, that does not read as the caller's deadline", err, driver.Unavailable)
	}
}

func TestRequestBody(t *testing.T) {
	short := io.NewSectionReader(strings.NewReader("hello"), 0, 10)
	up := NewRequestBody(short)
	if _, err := io.ReadAll(up); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short body: got %v", err)
	}
	c := &Call{Op: driver.OpPut, Key: "key"}
	c.sent.Store(true)
	err := c.FailBody(t.Context(), up, errors.New("broken pipe"), judge(driver.Unavailable))
	if !errors.Is(err, io.ErrUnexpectedEOF) || driver.OutcomeUnknown(err) {
		t.Errorf("short body: the call fails with %v", err)
	}
	up = NewRequestBody(io.NewSectionReader(strings.NewReader("hello"), 0, 5))
	up.Release()
	if _, err := up.Read(make([]byte, 5)); !errors.Is(err, errReleased) {
		t.Errorf("after release: got %v", err)
	}
}

func TestDigest(t *testing.T) {
	body := io.NewSectionReader(strings.NewReader("hello"), 0, 5)
	want := sha256.Sum256([]byte("hello"))
	var copied strings.Builder
	if err := Digest(body, want[:], &copied); err != nil || copied.String() != "hello" {
		t.Errorf("got %q and %v", copied.String(), err)
	}
	want[0]++
	if err := Digest(body, want[:]); !errors.Is(err, driver.Corrupt) {
		t.Errorf("another digest: got %v, want %v", err, driver.Corrupt)
	}
	if err := Digest(io.NewSectionReader(strings.NewReader("hello"), 0, 6), nil, io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short body: got %v", err)
	}
}

func TestEscapePath(t *testing.T) {
	if got, want := EscapePath("a b/c+d/%/é"), "a%20b/c%2Bd/%25/%C3%A9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPrefix(t *testing.T) {
	for in, want := range map[string]Prefix{"": "", "/": "", "a": "a/", "/a/b/": "a/b/"} {
		if got, err := NewPrefix(in); got != want || err != nil {
			t.Errorf("%q: got %q and %v, want %q", in, got, err, want)
		}
	}
	if _, err := NewPrefix("a/../b"); !errors.Is(err, driver.Invalid) {
		t.Errorf("got %v, want %v", err, driver.Invalid)
	}
	p := Prefix("a/")
	if err := p.CheckKey(strings.Repeat("k", driver.MaxKey-1)); !errors.Is(err, driver.Invalid) {
		t.Errorf("a long key: got %v, want %v", err, driver.Invalid)
	}
	for name, want := range map[string]bool{"a/key": true, "a/": false, "b/key": false} {
		if _, ours := p.Cut(name); ours != want {
			t.Errorf("%q is ours: %v, want %v", name, ours, want)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	const example = "https://store.example.com"
	for in, ok := range map[string]bool{
		"": true, "http://127.0.0.1:9000": true, "https://store.example.com/path": true,
		"store.example.com": false, "ftp://x": false, "http://": false, "http://u:secret@x": false, "http://x?secret=1": false,
	} {
		err := CheckEndpoint("endpoint", in, example)
		if (err == nil) != ok || err != nil && (!errors.Is(err, driver.Invalid) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}
