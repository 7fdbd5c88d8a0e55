package azure

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/blobdock/blobdock/driver"
)

const (
	invalidBlockList = string(bloberror.InvalidBlockList)
	emptyBlock       = string(bloberror.InvalidHeaderValue) // of a Content-Length of 0
)

// kinds sorts the store's error codes. A code that is not here is judged by the
// status it came with.
// https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes
// https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes
var kinds = map[bloberror.Code]driver.Kind{
	bloberror.ContainerNotFound:     driver.NoBucket,
	bloberror.ContainerBeingDeleted: driver.NoBucket,
	bloberror.BlobNotFound:          driver.NotFound,
	bloberror.ResourceNotFound:      driver.NotFound,

	bloberror.ConditionNotMet:       driver.Mismatch,
	bloberror.SourceConditionNotMet: driver.Mismatch,
	bloberror.TargetConditionNotMet: driver.Mismatch,
	bloberror.BlobAlreadyExists:     driver.Exists,
	bloberror.InvalidBlockList:      driver.Mismatch,

	bloberror.InvalidBlockID:                 driver.Invalid,
	bloberror.InvalidBlobOrBlock:             driver.Invalid,
	bloberror.InvalidBlobType:                driver.Invalid,
	bloberror.BlockCountExceedsLimit:         driver.Invalid,
	bloberror.BlockListTooLong:               driver.Invalid,
	bloberror.RequestBodyTooLarge:            driver.Invalid,
	bloberror.MetadataTooLarge:               driver.Invalid,
	bloberror.InvalidRange:                   driver.OutOfRange,
	bloberror.SystemInUse:                    driver.Unavailable,
	bloberror.PendingCopyOperation:           driver.Unavailable,
	bloberror.OperationTimedOut:              driver.Unavailable,
	bloberror.InternalError:                  driver.Unavailable,
	bloberror.ServerBusy:                     driver.Throttled,
	bloberror.SnapshotOperationRateExceeded:  driver.Throttled,
	bloberror.MD5Mismatch:                    driver.Corrupt,
	bloberror.CRC64Mismatch:                  driver.Corrupt,
	bloberror.BlobArchived:                   driver.Unsupported,
	bloberror.BlobBeingRehydrated:            driver.Unsupported,
	bloberror.FeatureVersionMismatch:         driver.Unsupported,
	bloberror.CopyAcrossAccountsNotSupported: driver.Unsupported,

	bloberror.AccountIsDisabled:                driver.Denied,
	bloberror.AuthenticationFailed:             driver.Denied,
	bloberror.AuthorizationFailure:             driver.Denied,
	bloberror.AuthorizationPermissionMismatch:  driver.Denied,
	bloberror.AuthorizationProtocolMismatch:    driver.Denied,
	bloberror.BlobImmutableDueToPolicy:         driver.Denied,
	bloberror.ContainerDisabled:                driver.Denied,
	bloberror.InsufficientAccountPermissions:   driver.Denied,
	bloberror.InvalidAuthenticationInfo:        driver.Denied,
	bloberror.LeaseIDMissing:                   driver.Denied,
	bloberror.LeaseIDMismatchWithBlobOperation: driver.Denied,
	bloberror.NoAuthenticationInformation:      driver.Denied,
	bloberror.UnauthorizedBlobOverwrite:        driver.Denied,
	"KeyBasedAuthenticationNotPermitted":       driver.Denied,
	"PublicAccessNotPermitted":                 driver.Denied,
	"KeyVaultEncryptionKeyNotFound":            driver.Denied,
	"KeyVaultAccessTokenCannotBeAcquired":      driver.Denied,
}

// kindOfStatus is for replies without a code, or with an unknown one.
func kindOfStatus(status int) driver.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return driver.Denied
	case http.StatusNotFound:
		return driver.NotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return driver.Unsupported
	case http.StatusRequestTimeout:
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

const hintRole = "the credentials lack a permission; the documentation of package azure lists the roles that are needed"

// hints say what to do about errors that an operator can do something about.
var hints = map[bloberror.Code]string{
	bloberror.AuthorizationFailure:             hintRole + "; or the account's firewall lets this machine not in",
	bloberror.AuthorizationPermissionMismatch:  hintRole,
	bloberror.InsufficientAccountPermissions:   hintRole,
	bloberror.UnauthorizedBlobOverwrite:        hintRole,
	bloberror.NoAuthenticationInformation:      "requests go unsigned; set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or credential=default",
	bloberror.InvalidAuthenticationInfo:        "the account belongs to another tenant, or the token is for another service",
	bloberror.AccountIsDisabled:                "the storage account is disabled",
	bloberror.BlobArchived:                     "the object is in the archive tier: move it to another first",
	bloberror.BlobBeingRehydrated:              "the object is on its way out of the archive tier: wait until it is there",
	bloberror.BlobImmutableDueToPolicy:         "an immutability policy or legal hold of the container protects the object",
	bloberror.LeaseIDMissing:                   "somebody holds a lease on the object: break it",
	bloberror.LeaseIDMismatchWithBlobOperation: "somebody holds a lease on the object: break it",
	bloberror.InvalidBlobOrBlock:               "another program has an upload to this key under way, with block ids of another length; Azure drops those a week after the last",
	bloberror.InvalidBlobType:                  "the object at this key is an append or page blob: delete it first",
	bloberror.BlockCountExceedsLimit:           "too many blocks wait at this key; Azure drops them a week after the last",
	bloberror.MD5Mismatch:                      "the content is not what its checksum says",
	bloberror.CRC64Mismatch:                    "the content is not what its checksum says",
	"KeyBasedAuthenticationNotPermitted":       "the account forbids its shared key: use credential=default",
	"PublicAccessNotPermitted":                 "the account forbids anonymous access",
}

// changes are the calls after which a store differs.
var changes = map[driver.Op]bool{
	driver.OpPut: true, driver.OpDelete: true, driver.OpDeleteBatch: true, driver.OpPutPart: true,
	driver.OpCompleteUpload: true, driver.OpAbortUpload: true, driver.OpCopy: true, driver.OpCopyPart: true,
}

// fail turns the SDK's error into one of the contract. The SDK's own is left
// behind: it holds the request, with all that authorizes it, and prints its URL.
func (c *call) fail(ctx context.Context, err error) error {
	e := &driver.Error{Op: c.op, Key: c.key, Status: c.status, Err: err}
	e.RequestID = c.header.Get("X-Ms-Request-Id")
	lost := c.sent.Load() && c.status < 300 // no reply, or one that broke off

	var own *driver.Error
	var id *identityError
	var r *azcore.ResponseError
	switch {
	case errors.As(err, &own):
		return err
	case ctx.Err() != nil && (driver.Ended(err) || c.status == 0):
		e.MayHave = changes[c.op] && lost
		e.Err = ctx.Err()
		return e
	case errors.As(err, &id):
		e.Kind, e.Status = driver.Denied, 0
		if temporary(id) {
			e.Kind = driver.Unavailable
		}
		e.Err = errors.New("no credentials: " + id.Error())
		return e
	case errors.As(err, &r):
		e.Status = orDefault(c.status, r.StatusCode)
		c.refused(e, orDefault(c.header.Get("X-Ms-Error-Code"), orDefault(c.reply.Code, r.ErrorCode)))
	default:
		c.unanswered(e, err)
	}
	e.MayHave = changes[c.op] && e.Kind == driver.Unavailable && (lost || e.Status >= 500)
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
func (c *call) refused(e *driver.Error, code string) {
	e.Code = code
	kind, known := kinds[bloberror.Code(code)]
	switch {
	case code == string(bloberror.CannotVerifyCopySource):
		kind = sourceKind(e.Status)
	case code == string(bloberror.SourceConditionNotMet):
		kind = driver.Mismatch
	case !known:
		kind = kindOfStatus(e.Status)
	}
	switch {
	case kind == driver.Mismatch && c.cond.IfAbsent &&
		(code == string(bloberror.ConditionNotMet) || code == string(bloberror.TargetConditionNotMet) || code == ""):
		kind = driver.Exists
	case kind == driver.NotFound && c.cond.IfMatch != "" && c.op != driver.OpCopy:
		kind = driver.Mismatch // what was to be there is gone
	}
	e.Kind = kind
	if kind == driver.Throttled {
		e.RetryAfter = c.retryAfter(time.Now())
	}
	text := orDefault(c.reply.Message, http.StatusText(e.Status))
	if hint := c.hint(e); hint != "" {
		text += "; " + hint
	}
	e.Err = errors.New(text)
}

// skew is a difference between two clocks that is worth telling. Azure takes 15
// minutes.
// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key
const skew = 5 * time.Minute

func (c *call) hint(e *driver.Error) string {
	if e.Kind == driver.Denied {
		theirs, ours := c.date(), time.Now()
		if d := ours.Sub(theirs).Abs(); !theirs.IsZero() && d > skew {
			return fmt.Sprintf("the store's clock says %s, this machine's %s: set the wrong one of the two, usually this machine's",
				theirs.UTC().Format(time.RFC3339), ours.UTC().Format(time.RFC3339))
		}
	}
	switch {
	case e.Code == string(bloberror.AuthenticationFailed):
		return "check the account's name, its key or signature, and that the signature has not expired"
	case e.Kind == driver.Denied && e.Code == "":
		return hintRole
	}
	return hints[bloberror.Code(e.Code)]
}

// unanswered is for calls without a reply, or with one that can't be read.
func (c *call) unanswered(e *driver.Error, err error) {
	e.Kind = kindOfStatus(c.status)
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var network *net.OpError // says which address
	text := oneLine(root(err).Error())
	if errors.As(err, &network) {
		text = network.Error()
	}
	switch {
	case driver.KindOf(err) != driver.Unknown:
		e.Kind = driver.KindOf(err)
	case errors.As(err, &cert):
		e.Kind, text = driver.Invalid, cert.Error()+"; ca_file names the authority to trust"
	case errors.As(err, &record):
		e.Kind, text = driver.Invalid, record.Error()+"; is the endpoint http rather than https?"
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

// plain is the innermost of err, without it where that would read as the caller's
// context having ended: a dialer's own time-out is a context.DeadlineExceeded.
func plain(err error) error {
	if driver.Ended(err) {
		return errors.New(oneLine(root(err).Error()))
	}
	var network net.Error
	if errors.As(err, &network) {
		return network
	}
	return root(err)
}

// temporary tells whether fetching a token failed for a reason that passes.
func temporary(err error) bool {
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		return r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests
	}
	var network net.Error
	return errors.As(err, &network)
}

// retryAfter is how long the store asks to wait: seconds, milliseconds or a date.
func (c *call) retryAfter(now time.Time) time.Duration {
	for _, h := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if n, err := strconv.Atoi(c.header.Get(h)); err == nil && n > 0 {
			return time.Duration(n) * time.Millisecond
		}
	}
	v := c.header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}
