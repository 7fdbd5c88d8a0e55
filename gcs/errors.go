package gcs

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
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

	"quotaExceeded": driver.Full, // of bytes, where something is written

	"RequestTimeout": driver.Unavailable, // the body did not arrive in time; status 400
	"uploadBroken":   driver.Unavailable, // likewise
}

// locks are the codes of replies with status 403 that no permission lifts, of the JSON API
// and the XML API, and what to do about them.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
// https://cloud.google.com/storage/docs/xml-api/reference-status
var locks = map[string]string{
	"retentionPolicyNotMet": retained,
	"RetentionPolicyNotMet": retained,
	"objectUnderActiveHold": held,
	"ObjectUnderActiveHold": held,
}

// https://cloud.google.com/storage/docs/bucket-lock
// https://cloud.google.com/storage/docs/object-holds
const (
	retained = "no permission is missing: a registry replaces tags and deletes what uploads leave, so its bucket must have no retention policy (gcloud storage buckets update gs://BUCKET --clear-retention-period)"
	held     = "no permission is missing: the object is held; release it (gcloud storage objects update --no-temporary-hold --no-event-based-hold), and turn the bucket's default hold off (gcloud storage buckets update gs://BUCKET --no-default-event-based-hold)"
)

// hints say what to do about errors that an operator can do something about.
var hints = map[int]string{
	http.StatusUnauthorized: "the store does not accept these credentials: renew them, or set credentials_file",
	http.StatusForbidden:    "the account lacks a permission on the bucket; the documentation of package gcs lists those that are needed",
}

// fail turns an error of the client into one of the contract.
func (c *call) fail(ctx context.Context, err error) error {
	return c.Fail(ctx, err, func(e *driver.Error) { c.judge(e, err) })
}

// failBody is fail for calls with a body, which may be what failed.
func (c *call) failBody(ctx context.Context, up *cloud.RequestBody, err error) error {
	return c.FailBody(ctx, up, err, func(e *driver.Error) { c.judge(e, err) })
}

func (c *call) judge(e *driver.Error, err error) {
	e.RequestID = c.Header.Get("X-Guploader-Uploadid")
	var id *cloud.IdentityError
	var api *googleapi.Error
	switch {
	case errors.As(err, &id):
		// What the token server says may repeat an assertion, so only the plain
		// reason is told.
		cloud.Anonymous(e, temporary(id), reason(id)+"; set them by GOOGLE_APPLICATION_CREDENTIALS, credentials_file or the machine's service account, or say anonymous")
	case errors.As(err, &api):
		c.refused(e, api)
	default:
		c.Unanswered(e, err)
	}
}

// refused is for replies with an error in them.
func (c *call) refused(e *driver.Error, api *googleapi.Error) {
	e.Status = api.Code
	e.Code = codeOf(api)
	kind, known := kinds[e.Code]
	switch {
	case api.Code == http.StatusTooManyRequests:
		kind = driver.Throttled
	case known && (kind != driver.Full || c.Op.Changes()):
	case api.Code == http.StatusConflict: // with another write; nothing was done
		kind = driver.Unavailable
	default:
		kind = cloud.KindOfStatus(api.Code)
	}
	if kind == driver.Mismatch && c.Cond.IfAbsent {
		kind = driver.Exists
	}
	text := cmp.Or(api.Message, http.StatusText(api.Code))
	if hint, locked := locks[e.Code]; locked {
		kind, text = driver.Unsupported, text+"; "+hint
	}
	if hint := hints[api.Code]; hint != "" && kind == driver.Denied {
		text += "; " + hint
	}
	c.Refused(e, kind, text, api)
	// The reply is the same where a bucket has too many requests for the moment. Its
	// reason is text, so that all are taken for the more frequent: many writes to an
	// object.
	if e.Code == "rateLimitExceeded" {
		c.LimitKey(e, keyInterval)
	}
}

// keyInterval is how often an object may be written, overwritten and deleted.
// https://cloud.google.com/storage/quotas#objects
const keyInterval = time.Second

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
	return cloud.Reason(err)
}
