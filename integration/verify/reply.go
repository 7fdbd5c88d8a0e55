package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// reply is what a store made of one request.
type reply struct {
	status int // 0 when none came
	code   string
	header http.Header
	err    error // nil when the store did what it was asked
}

// refused reports whether the store understood the request and declined it. A lack of
// permission, throttling and failures of the store say nothing about what it can do.
func (r reply) refused() bool {
	switch {
	case r.err == nil, r.throttled():
		return false
	case r.status == http.StatusNotImplemented:
		return true
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		return false
	}
	return r.status >= 300 && r.status < 500
}

// throttled reports whether the store asks to slow down. R2 does so by status 429 with
// the code ServiceUnavailable.
// https://developers.cloudflare.com/r2/platform/limits/
func (r reply) throttled() bool {
	return r.err != nil && (r.status == http.StatusTooManyRequests || errors.Is(r.err, driver.Throttled))
}

func (r reply) String() string {
	switch {
	case r.err == nil:
		return "ok"
	case r.status == 0:
		return "no reply"
	case r.code == "":
		return fmt.Sprint(r.status)
	}
	return fmt.Sprintf("%d %s", r.status, r.code)
}

// finding is the reply as an answer: found for success, "refused" for a refusal.
func (r reply) finding(found string) (finding, error) {
	switch {
	case r.err == nil:
		return finding{found: found, status: r.status}, nil
	case r.refused():
		return finding{found: refused, status: r.status, code: r.code}, nil
	}
	return finding{}, r.failure()
}

// failure is the error of a request that no answer can be read from. The SDK's own error
// may repeat a URL with a signature in it, so its text is left out.
func (r reply) failure() error {
	var e *driver.Error
	switch {
	case errors.As(r.err, &e):
		return e
	case r.status == 0:
		return errors.New("no reply: " + cloud.Reason(r.err))
	}
	return fmt.Errorf("the store answers %v", r)
}

// call makes one request with the SDK's client, and reads the answer from the transport.
// It sends throttled requests again.
func (a *asker) call(ctx context.Context, do func(ctx context.Context) error) reply {
	for try := 1; ; try++ {
		var seen cloud.Call
		err := do(cloud.Begin(a.requests.under(ctx), &seen))
		r := reply{status: seen.Status, code: codeOf(&seen), header: seen.Header, err: err}
		busy := r.throttled() || r.status == http.StatusServiceUnavailable
		if err == nil || !busy || !again(ctx, try) {
			return r
		}
		a.requests.throttled.Add(1)
	}
}

// codeOf is the error code of a reply: S3 and the XML API of GCS have it in a document,
// Azure in a header, the JSON API of GCS has a reason.
func codeOf(c *cloud.Call) string {
	var doc struct{ Code string }
	_ = xml.Unmarshal(c.Document, &doc) // an empty document tells nothing
	var api struct {
		Error struct{ Errors []struct{ Reason string } }
	}
	if json.Unmarshal(c.Document, &api) == nil && len(api.Error.Errors) > 0 {
		doc.Code = api.Error.Errors[0].Reason
	}
	return cmp.Or(c.Header.Get("X-Ms-Error-Code"), c.Header.Get("X-Minio-Error-Code"), doc.Code)
}

// ask makes one call of the driver's, and repeats throttled calls.
func (a *asker) ask(ctx context.Context, do func(ctx context.Context) error) reply {
	for try := 1; ; try++ {
		r := replyOf(do(ctx))
		if !r.throttled() || !again(ctx, try) {
			return r
		}
		a.requests.throttled.Add(1)
	}
}

// replyOf reads a driver's error.
func replyOf(err error) reply {
	r := reply{err: err}
	var e *driver.Error
	if errors.As(err, &e) {
		r.status, r.code = e.Status, e.Code
	}
	return r
}

// fetch sends a GET without credentials. The body is read to its end.
func (a *asker) fetch(ctx context.Context, u driver.SignedURL, header http.Header) (reply, []byte) {
	req, err := http.NewRequestWithContext(a.requests.under(ctx), http.MethodGet, u.URL, nil)
	if err != nil {
		return reply{err: errors.New("the signed URL can't be parsed")}, nil
	}
	for _, h := range []http.Header{u.Header, header} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{err: err}, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	r := reply{status: res.StatusCode, header: res.Header, err: err}
	if res.StatusCode/100 != 2 {
		r.code = codeOf(&cloud.Call{Header: res.Header, Document: body})
		r.err = fmt.Errorf("status %d", res.StatusCode)
	}
	return r, body
}
