package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/driver"
)

// kinds sorts the stores' error codes. A code that is not here is judged by the
// status it came with.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var kinds = map[string]driver.Kind{
	"NoSuchBucket":  driver.NoBucket,
	"NoSuchKey":     driver.NotFound,
	"NoSuchUpload":  driver.NotFound,
	"NoSuchVersion": driver.NotFound,

	"PreconditionFailed": driver.Mismatch,
	"InvalidPart":        driver.Mismatch,

	"EntityTooSmall":   driver.Invalid,
	"EntityTooLarge":   driver.Invalid,
	"InvalidPartOrder": driver.Invalid,
	"InvalidRange":     driver.OutOfRange,

	"PermanentRedirect":                  driver.Invalid,
	"AuthorizationHeaderMalformed":       driver.Invalid,
	"IllegalLocationConstraintException": driver.Invalid,

	"AccessDenied":          driver.Denied,
	"AllAccessDisabled":     driver.Denied,
	"AccountProblem":        driver.Denied,
	"ExpiredToken":          driver.Denied,
	"InvalidAccessKeyId":    driver.Denied,
	"InvalidToken":          driver.Denied,
	"NotSignedUp":           driver.Denied,
	"RequestTimeTooSkewed":  driver.Denied,
	"SignatureDoesNotMatch": driver.Denied,
	"TokenRefreshRequired":  driver.Denied,
	"UnauthorizedAccess":    driver.Denied,

	"BandwidthLimitExceeded":                 driver.Throttled,
	"ProvisionedThroughputExceededException": driver.Throttled,
	"RequestLimitExceeded":                   driver.Throttled,
	"RequestRateLimitExceeded":               driver.Throttled, // Wasabi, with status 403
	"RequestThrottled":                       driver.Throttled,
	"RequestThrottledException":              driver.Throttled,
	"ServiceUnavailable":                     driver.Throttled,
	"SlowDown":                               driver.Throttled,
	"SlowDownRead":                           driver.Throttled, // MinIO
	"SlowDownWrite":                          driver.Throttled, // MinIO
	"Throttling":                             driver.Throttled,
	"ThrottlingException":                    driver.Throttled,
	"ThrottledException":                     driver.Throttled,
	"TooManyRequests":                        driver.Throttled,
	"TooManyRequestsException":               driver.Throttled,

	"InternalError":     driver.Unavailable,
	"OperationAborted":  driver.Unavailable, // another write to the key is under way
	"RequestTimeout":    driver.Unavailable, // the body did not arrive in time; status 400
	"TemporaryRedirect": driver.Unavailable, // a bucket so new that DNS does not know it

	"BadDigest":                   driver.Corrupt,
	"XAmzContentChecksumMismatch": driver.Corrupt, // MinIO
	"XAmzContentSHA256Mismatch":   driver.Corrupt,

	"InvalidObjectState": driver.Unsupported, // archived
	"MethodNotAllowed":   driver.Unsupported,
	"NotImplemented":     driver.Unsupported,
}

// conflict is the code for a conditional write that met another one.
const conflict = "ConditionalRequestConflict"

// kindOfStatus is for replies without a code, or with an unknown one.
func kindOfStatus(status int) driver.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return driver.Denied
	case http.StatusNotFound:
		return driver.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return driver.Unsupported
	case http.StatusRequestTimeout, http.StatusTemporaryRedirect:
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
var hints = map[string]string{
	"AccessDenied":          "the credentials lack a permission; the documentation of package s3 lists those that are needed",
	"ExpiredToken":          "the session's credentials have ended: renew them",
	"InvalidAccessKeyId":    "the store does not know this access key: check the key, and that it belongs to this endpoint",
	"InvalidObjectState":    "the object is in an archive storage class: restore it first",
	"SignatureDoesNotMatch": "check the secret key, the region, and proxies that change requests on their way",
	"PermanentRedirect":     "the bucket is in another region or behind another endpoint",
	"KMS":                   "check the key's state, and that its policy lets these credentials use it",
	"NotImplemented":        "if it is conditional writes that the store lacks, set conditions=none; the profile parameter names stores with known gaps",
	"BadDigest":             "the content is not what its checksum says",
}

// changes are the calls after which a store differs.
var changes = map[driver.Op]bool{
	driver.OpPut: true, driver.OpDelete: true, driver.OpDeleteBatch: true,
	driver.OpCreateUpload: true, driver.OpPutPart: true, driver.OpCompleteUpload: true, driver.OpAbortUpload: true,
	driver.OpCopy: true, driver.OpCopyPart: true,
}

// fail turns the SDK's error into one of the contract.
func (c *call) fail(ctx context.Context, err error) error {
	e := &driver.Error{Op: c.op, Key: c.key, Status: c.status, Err: err}
	e.RequestID = c.header.Get("X-Amz-Request-Id")
	lost := c.sent.Load() && c.status < 300 // no reply, or one that broke off

	var own *driver.Error
	var id *identityError
	var api smithy.APIError
	switch {
	case errors.As(err, &own):
		return err
	case ctx.Err() != nil && (driver.Ended(err) || c.status == 0):
		e.MayHave = changes[c.op] && lost
		e.Err = ctx.Err()
		if !driver.Ended(err) {
			e.Err = fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return e
	case errors.As(err, &id):
		e.Kind, e.Status = driver.Denied, 0
		if temporary(id) {
			e.Kind = driver.Unavailable
		}
		e.Err = &cause{"no credentials: " + id.Error() + "; set them by environment, credentials_file, aws_profile or the instance's role", plain(err)}
		return e
	case errors.As(err, &api):
		c.refused(e, api)
	default:
		c.unanswered(e, err)
	}
	e.MayHave = changes[c.op] && e.Kind == driver.Unavailable && (lost || c.status >= 500)
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
func (c *call) refused(e *driver.Error, api smithy.APIError) {
	e.Code = c.code(api)
	text := api.ErrorMessage()
	if text == "" || text == e.Code {
		text = http.StatusText(c.status)
	}
	kind, known := kinds[e.Code]
	switch {
	case e.Code == conflict:
		kind = driver.Unavailable // nothing was done
		if c.op == driver.OpCompleteUpload {
			// The parts have to be sent again.
			// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
			kind = driver.Mismatch
		}
	case strings.HasPrefix(e.Code, "KMS."):
		kind = driver.Denied
	case e.Code == "" && c.op == driver.OpStat && c.status == http.StatusBadRequest && c.region == c.told(c.region):
		kind = driver.Denied // with a GET it would be ExpiredToken, say
	case !known:
		kind = kindOfStatus(c.status)
	}
	switch {
	case kind == driver.Mismatch && c.status == http.StatusPreconditionFailed:
		kind = c.unmet()
	case kind == driver.NotFound && c.cond.IfMatch != "" && c.op != driver.OpCopy && e.Code != "NoSuchUpload":
		kind = driver.Mismatch // what was to be there is gone
	}
	e.Kind = kind
	if kind == driver.Throttled {
		e.RetryAfter = retryAfter(c.header.Get("Retry-After"), time.Now())
	}
	if hint := c.hint(e); hint != "" {
		text += "; " + hint
	}
	e.Err = &cause{text, api}
}

// code is the error's code. HEAD replies have no document: the SDK makes a code
// of the status, MinIO puts its own into a header.
func (c *call) code(api smithy.APIError) string {
	if v := c.header.Get("X-Minio-Error-Code"); v != "" {
		return v
	}
	if c.reply.Code == "" && c.status >= 300 && api.ErrorCode() == strings.ReplaceAll(http.StatusText(c.status), " ", "") {
		return ""
	}
	return api.ErrorCode()
}

// unmet tells whose condition did not hold: the destination's or the source's.
func (c *call) unmet() driver.Kind {
	switch {
	case !c.cond.IfAbsent:
		return driver.Mismatch
	case c.source == "":
		return driver.Exists
	case c.reply.Condition != "" && !strings.Contains(strings.ToLower(c.reply.Condition), "copy-source"):
		return driver.Exists
	default:
		// The store does not say. Exists would be taken for a success.
		return driver.Mismatch
	}
}

// told is the region that the store says the bucket is in, or def.
func (c *call) told(def string) string {
	if v := c.header.Get("X-Amz-Bucket-Region"); v != "" {
		return v
	}
	return orDefault(c.reply.Region, def)
}

func (c *call) hint(e *driver.Error) string {
	region := c.told(c.region)
	switch {
	case region != c.region && e.Kind != driver.NotFound:
		return fmt.Sprintf("the store says that the region is %s, requests were signed for %s: set the region parameter", region, c.region)
	case e.Code == "RequestTimeTooSkewed":
		if theirs, err := http.ParseTime(c.header.Get("Date")); err == nil {
			return fmt.Sprintf("the store's clock says %s, this machine's %s: set the wrong one of the two, usually this machine's",
				theirs.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
		}
		return "this machine's clock and the store's differ: set the wrong one of the two, usually this machine's"
	case strings.HasPrefix(e.Code, "KMS."):
		return hints["KMS"]
	case e.Kind == driver.Denied && c.status == http.StatusBadRequest && e.Code == "":
		return "the reply to a HEAD gives no reason; usually the session's credentials have ended"
	case e.Kind == driver.Denied && e.Code == "":
		return hints["AccessDenied"]
	}
	return hints[e.Code]
}

// unanswered is for calls without a reply, or with one that can't be read.
func (c *call) unanswered(e *driver.Error, err error) {
	e.Kind = kindOfStatus(c.status)
	if c.status == http.StatusPreconditionFailed {
		e.Kind = c.unmet()
	}
	if e.Kind == driver.Throttled {
		e.RetryAfter = retryAfter(c.header.Get("Retry-After"), time.Now())
	}
	var sending *smithyhttp.RequestSendError
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
	case c.status == 0 && !errors.As(err, &sending):
		e.Kind = driver.Invalid // the SDK refused to make a request of it
	}
	e.Err = &cause{text, plain(err)}
}

// cause has a text of its own: the SDK's repeats what driver.Error tells.
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

// temporary tells whether fetching credentials failed for a reason that passes.
func temporary(err error) bool {
	var reply interface{ HTTPStatusCode() int }
	if !errors.As(err, &reply) {
		return false
	}
	status := reply.HTTPStatusCode()
	return status >= 500 || status == http.StatusTooManyRequests
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
