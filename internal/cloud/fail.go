package cloud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Fail turns what the SDK reports into an error of the contract. What the context
// ended, and errors of the contract themselves, are the same for every store; for
// all others judge fills in Kind and what else it knows.
func (c *Call) Fail(ctx context.Context, err error, judge func(*driver.Error)) error {
	var own *driver.Error
	if errors.As(err, &own) {
		return err
	}
	e := &driver.Error{Op: c.Op, Key: c.Key, Status: c.Status, Err: err}
	if ctx.Err() != nil && (driver.IsContextError(err) || c.Status == 0) {
		e.OutcomeUnknown = c.Op.Changes() && c.lost()
		e.Err = ctx.Err()
		if !driver.IsContextError(err) {
			e.Err = fmt.Errorf("%w: %s", ctx.Err(), Reason(err))
		}
		return e
	}
	judge(e)
	e.OutcomeUnknown = c.Op.Changes() && e.Kind == driver.Unavailable && (c.lost() || e.Status >= 500)
	return e
}

// FailBody is Fail for calls with a body, which may be what failed.
func (c *Call) FailBody(ctx context.Context, up *RequestBody, err error, judge func(*driver.Error)) error {
	if failure := up.failure.Load(); failure != nil && c.Status == 0 && ctx.Err() == nil {
		return driver.NewError(c.Op, c.Key, *failure) // half a body changes nothing
	}
	return c.Fail(ctx, err, judge)
}

// Unanswered fills in e for a call without a reply, or with one that can't be
// read. The SDK's error is left behind: it may hold the request, with all that
// authorizes it.
func (c *Call) Unanswered(e *driver.Error, err error) {
	if kind := driver.KindOf(err); kind != driver.Unknown {
		e.Kind, e.Err = kind, err // found on this side
		return
	}
	e.Kind = KindOfStatus(c.Status)
	c.wait(e)
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	text := Reason(err)
	switch {
	case errors.As(err, &cert):
		e.Kind, text = driver.Invalid, cert.Error()+"; ca_file names the authority to trust"
	case errors.As(err, &record):
		e.Kind, text = driver.Invalid, record.Error()+"; is the endpoint http rather than https?"
	}
	e.Err = &cause{text, plain(err)}
}

// Refused fills in e for a reply with an error in it, which text describes. err is
// the SDK's, to be found by those who know it; nil where it holds the request.
func (c *Call) Refused(e *driver.Error, kind driver.Kind, text string, err error) {
	e.Kind = kind
	c.wait(e)
	e.Err = &cause{text, err}
}

// Anonymous fills in e for a call that got no credentials. temporary tells that
// they may be had later.
func Anonymous(e *driver.Error, temporary bool, text string) {
	e.Kind, e.Status = driver.Denied, 0
	if temporary {
		e.Kind = driver.Unavailable
	}
	e.Err = errors.New("no credentials: " + OneLine(text))
}

// IdentityError marks the errors of credentials, so that they can be told from
// those of the store.
type IdentityError struct{ Err error }

func (e *IdentityError) Error() string { return OneLine(e.Err.Error()) }
func (e *IdentityError) Unwrap() error { return e.Err }

// cause has a text of its own: the SDK's repeats what driver.Error tells.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// Reason is the text of the innermost error. What wraps it repeats URLs.
func Reason(err error) string {
	var network *net.OpError // says which address
	if errors.As(err, &network) {
		return network.Error()
	}
	return OneLine(root(err).Error())
}

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

// plain is what is worth to be found in err. It is never what would read as the
// caller's context having ended: a dialer's own time-out is a
// context.DeadlineExceeded.
func plain(err error) error {
	if driver.IsContextError(err) {
		return nil
	}
	var network net.Error
	if errors.As(err, &network) {
		return network
	}
	return root(err)
}

// OneLine makes one line of a report; it is cut where it gets too long to read.
func OneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), "; ")
	const most = 600
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// Incomplete is the error of a reply that says success and lacks what it must carry:
// nobody knows what the store has done.
func (c *Call) Incomplete(what string) error {
	return &driver.Error{
		Op: c.Op, Key: c.Key, Kind: driver.Unavailable, OutcomeUnknown: c.Op.Changes(), Status: c.Status,
		Err: fmt.Errorf("the reply says success and has no %s", what),
	}
}

// LimitKey marks e as throttling of its key alone, where e is a 429 to a write of one
// object and the store documents that it takes one such write in every interval. The
// deletions of a batch are such writes, the batch itself is none.
func (c *Call) LimitKey(e *driver.Error, every time.Duration) {
	switch c.Op {
	case driver.OpPut, driver.OpDelete, driver.OpCompleteUpload, driver.OpCopy, driver.OpConcat:
	case driver.OpDeleteBatch:
		if c.Status == e.Status {
			return
		}
	default:
		return
	}
	if every > 0 && e.Status == http.StatusTooManyRequests {
		e.KeyOnly, e.RetryAfter = true, max(e.RetryAfter, every)
	}
}

// Late makes Invalid of a refusal that came after notAfter, when the signature of the
// request had expired as it was meant to.
func Late(err error, notAfter time.Time) error {
	var e *driver.Error
	if errors.As(err, &e) && (e.Kind == driver.Denied || e.Kind == driver.Invalid) && !time.Now().Before(notAfter) {
		e.Kind, e.Err = driver.Invalid, fmt.Errorf("NotAfter has passed: %w", e.Err)
	}
	return err
}
