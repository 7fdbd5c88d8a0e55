package gcs

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"github.com/blobdock/blobdock/driver"
)

// kinds sorts the codes of both APIs that say more than their status.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
// https://cloud.google.com/storage/docs/xml-api/reference-status
var kinds = map[string]driver.Kind{
	"NoSuchBucket": driver.NoBucket,
	"NoSuchKey":    driver.NotFound,

	"rateLimitExceeded":     driver.Throttled, // with status 403 or 429
	"userRateLimitExceeded": driver.Throttled,
	"SlowDown":              driver.Throttled,

	"RequestTimeout": driver.Unavailable, // the body did not arrive in time; status 400
	"uploadBroken":   driver.Unavailable, // likewise
}

// kindOfStatus is for replies without a code, or with one that is not above.
func kindOfStatus(status int) driver.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return driver.Denied
	case http.StatusNotFound:
		return driver.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return driver.Unsupported
	case http.StatusRequestTimeout, http.StatusConflict:
		return driver.Unavailable
	case http.StatusPreconditionFailed:
		return driver.Mismatch
	case http.StatusRequestedRangeNotSatisfiable:
		return driver.OutOfRange
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return driver.Throttled
	}
	switch {
	case status >= 500:
		return driver.Unavailable
	case status >= 300:
		return driver.Invalid
	default:
		// No reply, or one that says success and can't be read.
		return driver.Unavailable
	}
}

// hints say what to do about errors that an operator can do something about.
var hints = map[int]string{
	http.StatusUnauthorized: "the store does not accept these credentials: renew them, or set credentials_file",
	http.StatusForbidden:    "the account lacks a permission on the bucket; the documentation of package gcs lists those that are needed",
}

// changes are the calls after which a store differs.
var changes = map[driver.Op]bool{
	driver.OpPut: true, driver.OpDelete: true, driver.OpCreateUpload: true, driver.OpPutPart: true,
	driver.OpCompleteUpload: true, driver.OpRetarget: true, driver.OpAbortUpload: true, driver.OpCopy: true,
}

// fail turns an error of the client into one of the contract.
func (c *call) fail(ctx context.Context, err error) error {
	e := &driver.Error{Op: c.op, Key: c.key, Status: c.status, Err: err}
	e.RequestID = c.header.Get("X-Guploader-Uploadid")
	lost := c.sent.Load() && c.status < 300 // no reply, or one that broke off

	var own *driver.Error
	var id *identityError
	var api *googleapi.Error
	switch {
	case errors.As(err, &own):
		return err
	case ctx.Err() != nil && (driver.Ended(err) || c.status == 0):
		e.MayHave = changes[c.op] && lost
		e.Err = ctx.Err()
		if !driver.Ended(err) {
			e.Err = fmt.Errorf("%w: %w", ctx.Err(), root(err))
		}
		return e
	case errors.As(err, &id):
		e.Kind, e.Status = driver.Denied, 0
		if temporary(id) {
			e.Kind = driver.Unavailable
		}
		// What the token server says may repeat an assertion, so only the plain
		// reason is told.
		e.Err = &cause{"no credentials: " + reason(id) + "; set them by GOOGLE_APPLICATION_CREDENTIALS, credentials_file or the machine's service account, or say anonymous", nil}
		return e
	case errors.As(err, &api):
		c.refused(e, api)
	default:
		c.unanswered(e, err)
	}
	e.MayHave = changes[c.op] && (e.Kind == driver.Unavailable && (lost || c.status >= 500))
	return e
}

// failBody is fail for calls with a body, which may be what failed.
func (c *call) failBody(ctx context.Context, up *upstream, err error) error {
	if failure := up.failure.Load(); failure != nil && c.status == 0 && ctx.Err() == nil {
		return driver.Fail(c.op, c.key, *failure) // half a body changes nothing
	}
	return c.fail(ctx, err)
}

// refused is for replies with an error in them.
func (c *call) refused(e *driver.Error, api *googleapi.Error) {
	e.Status = api.Code
	e.Code = codeOf(api)
	kind, known := kinds[e.Code]
	if !known {
		kind = kindOfStatus(api.Code)
	}
	if kind == driver.Mismatch && c.cond.IfAbsent {
		kind = driver.Exists
	}
	e.Kind = kind
	if kind == driver.Throttled {
		e.RetryAfter = retryAfter(c.header.Get("Retry-After"), time.Now())
	}
	text := orDefault(api.Message, http.StatusText(api.Code))
	if hint := hints[api.Code]; hint != "" && kind == driver.Denied {
		text += "; " + hint
	}
	e.Err = &cause{text, api}
}

// codeOf is the reason that the JSON API gives, or the code of the XML API.
func codeOf(api *googleapi.Error) string {
	if len(api.Errors) > 0 {
		return api.Errors[0].Reason
	}
	var doc struct{ Code string }
	if xml.Unmarshal([]byte(api.Body), &doc) == nil {
		return doc.Code
	}
	return ""
}

// unanswered is for calls without a reply, or with one that can't be read.
func (c *call) unanswered(e *driver.Error, err error) {
	e.Kind = kindOfStatus(c.status)
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	text := root(err).Error()
	var network *net.OpError // says which address
	if errors.As(err, &network) {
		text = network.Error()
	}
	switch {
	case errors.As(err, &cert):
		e.Kind, text = driver.Invalid, cert.Error()+"; ca_file names the authority to trust"
	case errors.As(err, &record):
		e.Kind, text = driver.Invalid, record.Error()+"; is the endpoint http rather than https?"
	}
	e.Err = &cause{text, plain(err)}
}

// cause has a text of its own: the client's repeats what driver.Error tells.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// root is the innermost error of a chain.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// plain is err, without its chain where that would read as the caller's context
// having ended: a dialer's own time-out is a context.DeadlineExceeded.
func plain(err error) error {
	if driver.Ended(err) {
		return errors.New(err.Error())
	}
	return err
}

// temporary tells whether fetching a token failed for a reason that passes.
func temporary(err error) bool {
	var reply *auth.Error
	if errors.As(err, &reply) {
		return reply.Temporary()
	}
	var network net.Error
	return errors.As(err, &network)
}

func reason(err error) string {
	var reply *auth.Error
	if errors.As(err, &reply) && reply.Response != nil {
		return "the token server answers " + reply.Response.Status
	}
	return root(err).Error()
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
