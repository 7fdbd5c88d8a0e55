package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

const noSuchUpload = "NoSuchUpload"

// kinds sorts the stores' error codes. A code that is not here is judged by the
// status it came with.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var kinds = map[string]driver.Kind{
	"NoSuchBucket":  driver.NoBucket,
	"NoSuchKey":     driver.NotFound,
	noSuchUpload:    driver.NotFound,
	"NoSuchVersion": driver.NotFound,

	"PreconditionFailed": driver.Mismatch,
	"InvalidPart":        driver.Mismatch,

	"EntityTooSmall":   driver.Invalid,
	"EntityTooLarge":   driver.TooLarge,
	"InvalidPartOrder": driver.Invalid,
	"InvalidRange":     driver.OutOfRange,

	"PermanentRedirect":                  driver.Invalid,
	"AuthorizationHeaderMalformed":       driver.Invalid,
	"IllegalLocationConstraintException": driver.Invalid,

	"AccessDenied":          driver.Denied,
	"AllAccessDisabled":     driver.Denied,
	"ExpiredToken":          driver.Denied,
	"InvalidAccessKeyId":    driver.Denied,
	"InvalidToken":          driver.Denied,
	"NotSignedUp":           driver.Denied,
	"RequestTimeTooSkewed":  driver.Denied,
	"SignatureDoesNotMatch": driver.Denied,
	"TokenRefreshRequired":  driver.Denied,
	"UnauthorizedAccess":    driver.Denied,

	// No space is left, or the account does not pay for more.
	"AccountProblem":                 driver.Full, // Amazon S3: billing
	"InsufficientStorage":            driver.Full,
	"QuotaExceeded":                  driver.Full, // Ceph, with status 403
	"ServiceQuotaExceeded":           driver.Full,
	"ServiceQuotaExceededException":  driver.Full,
	"StorageLimitExceeded":           driver.Full,
	"XMinioAdminBucketQuotaExceeded": driver.Full, // MinIO, with status 400
	"XMinioStorageFull":              driver.Full, // MinIO, with status 507

	"BandwidthLimitExceeded":                 driver.Throttled,
	"ProvisionedThroughputExceededException": driver.Throttled,
	"RequestLimitExceeded":                   driver.Throttled,
	"RequestRateLimitExceeded":               driver.Throttled, // Wasabi, with status 403
	"RequestThrottled":                       driver.Throttled,
	"RequestThrottledException":              driver.Throttled,
	"SlowDown":                               driver.Throttled,
	"SlowDownRead":                           driver.Throttled, // MinIO
	"SlowDownWrite":                          driver.Throttled, // MinIO
	"Throttling":                             driver.Throttled,
	"ThrottlingException":                    driver.Throttled,
	"ThrottledException":                     driver.Throttled,
	"TooManyRequests":                        driver.Throttled,
	"TooManyRequestsException":               driver.Throttled,

	"InternalError":      driver.Unavailable,
	"OperationAborted":   driver.Unavailable, // another write to the key is under way
	"RequestTimeout":     driver.Unavailable, // the body did not arrive in time; status 400
	"ServiceUnavailable": driver.Unavailable,
	"TemporaryRedirect":  driver.Unavailable, // a bucket so new that DNS does not know it

	"BadDigest":                   driver.Corrupt,
	"XAmzContentChecksumMismatch": driver.Corrupt, // MinIO
	"XAmzContentSHA256Mismatch":   driver.Corrupt,

	"InvalidObjectState": driver.Unsupported, // archived
	"MethodNotAllowed":   driver.Unsupported,
	"NotImplemented":     driver.Unsupported,
}

// conflict is the code for a conditional write that met another one.
const conflict = "ConditionalRequestConflict"

// hints say what to do about errors that an operator can do something about.
var hints = map[string]string{
	"AccessDenied":          "the credentials lack a permission, unless the bucket's settings refuse this to everybody; the documentation of package s3 lists the permissions that are needed",
	"ExpiredToken":          "the session's credentials have ended: renew them",
	"InvalidAccessKeyId":    "the store does not know this access key: check the key, and that it belongs to this endpoint",
	"InvalidObjectState":    "the object is in an archive storage class: restore it first",
	"SignatureDoesNotMatch": "check the secret key, the region, and proxies that change requests on their way",
	"PermanentRedirect":     "the bucket is in another region or behind another endpoint",
	"KMS":                   "check the key's state, and that its policy lets these credentials use it",
	"NotImplemented":        "if it is conditional writes that the store lacks, set conditions=none; the profile parameter names stores with known gaps",
	"BadDigest":             "the content is not what its checksum says",
}

// fail turns the SDK's error into one of the contract.
func (c *call) fail(ctx context.Context, err error) error {
	return c.Fail(ctx, err, func(e *driver.Error) { c.judge(ctx, e, err) })
}

// failBody is fail for calls with a body, which may be what failed.
func (c *call) failBody(ctx context.Context, up *cloud.RequestBody, err error) error {
	return c.FailBody(ctx, up, err, func(e *driver.Error) { c.judge(ctx, e, err) })
}

func (c *call) judge(ctx context.Context, e *driver.Error, err error) {
	e.RequestID = c.requestID()
	var id *cloud.IdentityError
	var api smithy.APIError
	var sending *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &id):
		cloud.Anonymous(e, temporary(id), id.Error()+"; set them by environment, credentials_file, aws_profile or the instance's role")
	case errors.As(err, &api):
		c.refused(ctx, e, api)
	default:
		c.Unanswered(e, err)
		switch {
		case c.Status == http.StatusPreconditionFailed:
			e.Kind = c.unmet()
		case c.Status == 0 && !errors.As(err, &sending):
			e.Kind = driver.Invalid // the SDK refused to make a request of it
		}
	}
	c.LimitKey(e, c.every)
}

// requestID is what Amazon's support asks for: two ids.
// https://docs.aws.amazon.com/AmazonS3/latest/API/get-request-ids.html
func (c *call) requestID() string {
	id := c.Header.Get("X-Amz-Request-Id")
	if second := c.Header.Get("X-Amz-Id-2"); second != "" && second != id {
		id += ", x-amz-id-2 " + second
	}
	return id
}

// refused is for replies with an error in them.
func (c *call) refused(ctx context.Context, e *driver.Error, api smithy.APIError) {
	e.Code = c.code(api)
	text := api.ErrorMessage()
	if text == "" || text == e.Code {
		text = http.StatusText(c.Status)
	}
	kind, known := kinds[e.Code]
	switch {
	case c.Status == http.StatusTooManyRequests:
		kind = driver.Throttled // R2 gives it the code ServiceUnavailable
	case e.Code == conflict:
		kind = driver.Unavailable // nothing was done
		if c.Op == driver.OpCompleteUpload {
			// The parts have to be sent again.
			// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
			kind = driver.Mismatch
		}
	case strings.HasPrefix(e.Code, "KMS."):
		kind = driver.Denied
	case e.Code == "" && c.Op == driver.OpStat && c.Status == http.StatusBadRequest && c.region == c.told(c.region):
		kind = driver.Denied // with a GET it would be ExpiredToken, say
	case !known:
		kind = cloud.KindOfStatus(c.Status)
	}
	switch {
	case kind == driver.Mismatch && c.Status == http.StatusPreconditionFailed:
		kind = c.unmet()
	case kind == driver.NotFound && c.Cond.IfMatch != "" && c.Op != driver.OpCopy && e.Code != noSuchUpload:
		kind = driver.Mismatch // what was to be there is gone
	}
	e.Kind = kind
	// A HEAD has no code. Its 400 is about the session.
	e.OtherThanPermission = kind == driver.Denied && e.Code != "AccessDenied" && (e.Code != "" || c.Status == http.StatusBadRequest)
	switch hint := c.hint(e); {
	case kind == driver.Denied && c.renewed(ctx, e):
		// Nothing was done, and the same call may succeed now.
		kind = driver.Unavailable
		text += "; the credentials have been renewed since"
	case hint != "":
		text += "; " + hint
	}
	c.Refused(e, kind, text, api)
}

// renewed reports whether there are other credentials now than those that the store has
// refused. A plain 403 is looked into as well: after a rotation some stores give no other
// reason, and a HEAD gives none at all.
func (c *call) renewed(ctx context.Context, e *driver.Error) bool {
	if c.generation == 0 {
		return false
	}
	switch e.Code {
	case "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired", "SignatureDoesNotMatch", "AccessDenied", "":
		return c.keys.renewed(ctx, c.generation)
	}
	return false
}

// code is the error's code. HEAD replies have no document: the SDK makes a code
// of the status, MinIO puts its own into a header, and Amazon S3 throttles with the reason
// phrase "Slow Down".
func (c *call) code(api smithy.APIError) string {
	if v := c.Header.Get("X-Minio-Error-Code"); v != "" {
		return v
	}
	if code := strings.ReplaceAll(c.Reason, " ", ""); len(c.Document) == 0 && kinds[code] != driver.Unknown {
		return code
	}
	if c.reply().Code == "" && c.Status >= 300 && api.ErrorCode() == strings.ReplaceAll(http.StatusText(c.Status), " ", "") {
		return ""
	}
	return api.ErrorCode()
}

// unmet tells whose condition did not hold: the destination's or the source's.
func (c *call) unmet() driver.Kind {
	switch {
	case !c.Cond.IfAbsent:
		return driver.Mismatch
	case c.source == "":
		return driver.Exists
	case c.reply().Condition != "" && !strings.Contains(strings.ToLower(c.reply().Condition), "copy-source"):
		return driver.Exists
	default:
		// The store does not say. Exists would be taken for a success.
		return driver.Mismatch
	}
}

// told is the region that the store says the bucket is in, or def.
func (c *call) told(def string) string {
	if v := c.Header.Get("X-Amz-Bucket-Region"); v != "" {
		return v
	}
	return cmp.Or(c.reply().Region, def)
}

func (c *call) hint(e *driver.Error) string {
	region := c.told(c.region)
	switch {
	case region != c.region && e.Kind != driver.NotFound:
		return fmt.Sprintf("the store says that the region is %s, requests were signed for %s: set the region parameter", region, c.region)
	case e.Code == "RequestTimeTooSkewed":
		return cmp.Or(c.Clocks(), "this machine's clock and the store's differ: set the wrong one of the two, usually this machine's")
	case strings.HasPrefix(e.Code, "KMS."):
		return hints["KMS"]
	case e.Kind == driver.Denied && c.Status == http.StatusBadRequest && e.Code == "":
		return "the reply to a HEAD gives no reason; usually the session's credentials have ended"
	case e.Code == "AccessDenied" && c.customer && c.Op.Changes():
		return "the credentials lack a permission, or the bucket blocks encryption with keys of its customers (SSE-C), as new buckets do"
	case e.Kind == driver.Denied && e.Code == "":
		return hints["AccessDenied"]
	}
	return hints[e.Code]
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
