package cloud

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Call is one method call: what was asked, and what the transport saw of it.
type Call struct {
	Op   driver.Op
	Key  string
	Cond driver.Cond // of the write

	// Of the last reply: nothing when none has come.
	Status   int
	Reason   string // the reason phrase, where it is not the standard one of Status
	Header   http.Header
	Document []byte // its body, where it is an error

	sent atomic.Bool // bytes of the request may have reached the store
}

type callKey struct{}

// Begin starts a call: requests under the context report to it. With nil they report to none,
// as requests for credentials do, whose replies are not the store's.
func Begin(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// Date is when the store answered, by its own clock.
func (c *Call) Date() time.Time {
	t, err := http.ParseTime(c.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// lost tells that no reply came to what was sent, or one that broke off.
func (c *Call) lost() bool { return c.sent.Load() && c.Status < 300 }

// maxDocument is more than any store's error document has.
const maxDocument = 64 << 10

// Transport makes exactly one request on the wire, and notes for the call in its
// context how far it got. It follows no redirect, and its errors don't repeat the
// URL, the query of which may be a signature.
type Transport struct {
	*http.Transport
	Log   bool   // each request and the status of its reply
	Clock *Clock // nil, or what notes the store's clock
	// TLS replaces the embedded transport when its files have been replaced.
	TLS *TLSFiles
}

// Do is RoundTrip, by the name that SDKs want.
func (t Transport) Do(req *http.Request) (*http.Response, error) { return t.RoundTrip(req) }

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.Log {
		return logged(req, t.roundTrip)
	}
	return t.roundTrip(req)
}

func (t Transport) roundTrip(req *http.Request) (*http.Response, error) {
	c, _ := req.Context().Value(callKey{}).(*Call)
	if c == nil {
		return t.TLS.transport(t.Transport).RoundTrip(req)
	}
	trace := &httptrace.ClientTrace{WroteHeaders: func() { c.sent.Store(true) }}
	resp, err := t.TLS.transport(t.Transport).RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, err
	}
	if t.Clock != nil {
		t.Clock.note(resp.Header)
	}
	c.Status, c.Reason, c.Header, c.Document = resp.StatusCode, reasonOf(resp), resp.Header, nil
	if resp.StatusCode >= 300 && resp.Body != nil {
		// SDKs keep only part of what an error document tells.
		c.Document, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument))
		_ = resp.Body.Close()
		if err != nil && len(c.Document) == 0 {
			return nil, fmt.Errorf("reply with status %d: %w", resp.StatusCode, err)
		}
		resp.Body = io.NopCloser(bytes.NewReader(c.Document))
	}
	return resp, nil
}

// reasonOf is the reason phrase of a reply, "" where it is the standard one.
func reasonOf(resp *http.Response) string {
	_, reason, _ := strings.Cut(resp.Status, " ")
	if reason == http.StatusText(resp.StatusCode) {
		return ""
	}
	return reason
}
