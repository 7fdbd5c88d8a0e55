package azure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
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
	bloberror.ResourceNotFound:      driver.NoBucket, // of a blob it is BlobNotFound

	bloberror.ConditionNotMet:       driver.Mismatch,
	bloberror.SourceConditionNotMet: driver.Mismatch,
	bloberror.TargetConditionNotMet: driver.Mismatch,
	bloberror.BlobAlreadyExists:     driver.Exists,
	bloberror.InvalidBlockList:      driver.Mismatch,

	bloberror.InvalidBlockID:                 driver.Invalid,
	bloberror.InvalidBlobOrBlock:             driver.Invalid,
	bloberror.BlockCountExceedsLimit:         driver.Invalid,
	bloberror.BlockListTooLong:               driver.Invalid,
	bloberror.RequestBodyTooLarge:            driver.TooLarge,
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
	"AccountSizeOverQuota":                     driver.Full,
	"KeyVaultAccessTokenCannotBeAcquired":      driver.Denied,
}

const hintRole = "the credentials lack a permission; the documentation of package azure lists the roles that are needed"

// hints say what to do about errors that an operator can do something about.
var hints = map[bloberror.Code]string{
	bloberror.AuthorizationFailure:             hintRole + "; or the account's firewall does not let this machine in",
	bloberror.AuthorizationPermissionMismatch:  hintRole,
	bloberror.InsufficientAccountPermissions:   hintRole,
	bloberror.UnauthorizedBlobOverwrite:        hintRole,
	bloberror.NoAuthenticationInformation:      "requests go unsigned; set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or credential=default",
	bloberror.InvalidAuthenticationInfo:        "the account belongs to another tenant, or the token is for another service",
	bloberror.ContainerNotFound:                "make the container, or check its name and the account's",
	bloberror.ResourceNotFound:                 "there is no such account or container at this endpoint, or requests to a private one are not signed: check account, container, endpoint and credential",
	bloberror.AccountIsDisabled:                "the storage account is disabled",
	bloberror.BlobArchived:                     "the object is in the archive tier: move it to another first",
	bloberror.BlobBeingRehydrated:              "the object is on its way out of the archive tier: wait until it is there",
	bloberror.BlobImmutableDueToPolicy:         "an immutability policy or legal hold of the container protects the object",
	bloberror.LeaseIDMissing:                   "somebody holds a lease on the object: break it",
	bloberror.LeaseIDMismatchWithBlobOperation: "somebody holds a lease on the object: break it",
	bloberror.InvalidBlobOrBlock:               "another program has an upload to this key under way, with block ids of another length; Azure drops those a week after the last",
	bloberror.InvalidBlobType:                  "the object at this key is an append or page blob, which no block blob can be written over: delete it first",
	bloberror.BlockCountExceedsLimit:           "too many blocks wait at this key; Azure drops them a week after the last",
	bloberror.InvalidHeaderValue:               "if the store does not know this version of the protocol, set api_version to an older one, from " + oldestVersion + " on",
	bloberror.MD5Mismatch:                      "the content is not what its checksum says",
	bloberror.CRC64Mismatch:                    "the content is not what its checksum says",
	"KeyBasedAuthenticationNotPermitted":       "the account forbids its shared key: use credential=default",
	"PublicAccessNotPermitted":                 "the account forbids anonymous access",
}

// fail turns the SDK's error into one of the contract. The SDK's own is left
// behind: it holds the request, with all that authorizes it, and prints its URL.
func (c *call) fail(ctx context.Context, err error) error {
	return c.Fail(ctx, err, func(e *driver.Error) { c.judge(e, err) })
}

// failBody is fail for calls with a body, which may be what failed.
func (c *call) failBody(ctx context.Context, up *cloud.RequestBody, err error) error {
	return c.FailBody(ctx, up, err, func(e *driver.Error) { c.judge(e, err) })
}

func (c *call) judge(e *driver.Error, err error) {
	e.RequestID = c.Header.Get("X-Ms-Request-Id")
	var id *cloud.IdentityError
	var r *azcore.ResponseError
	switch {
	case errors.As(err, &id):
		cloud.Anonymous(e, temporary(id), id.Error())
	case errors.As(err, &r):
		e.Status = cmp.Or(c.Status, r.StatusCode)
		c.refused(e, cmp.Or(c.code(), r.ErrorCode))
	default:
		c.Unanswered(e, err)
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			e.Err = fmt.Errorf("%w; each account has a host name of its own: check account, realm and endpoint", e.Err)
		}
	}
	if e.Kind == driver.NotFound && c.Op == driver.OpList {
		e.Kind = driver.NoBucket // a prefix can't be missing
	}
}

// refused is for replies with an error in them.
func (c *call) refused(e *driver.Error, code string) {
	e.Code = code
	kind, known := kinds[bloberror.Code(code)]
	switch {
	case code == string(bloberror.InvalidBlobType):
		kind = c.typeKind()
	case e.Status == http.StatusTooManyRequests:
		kind = driver.Throttled
	case code == string(bloberror.CannotVerifyCopySource):
		kind = sourceKind(e.Status)
	case !known:
		kind = cloud.KindOfStatus(e.Status)
	}
	switch {
	case kind == driver.Mismatch && c.Cond.IfAbsent &&
		(code == string(bloberror.ConditionNotMet) || code == string(bloberror.TargetConditionNotMet) || code == ""):
		kind = driver.Exists
	case kind == driver.NotFound && c.Cond.IfMatch != "" && c.Op != driver.OpCopy:
		kind = driver.Mismatch // what was to be there is gone
	}
	e.Kind = kind
	text := cmp.Or(c.reply().Message, http.StatusText(e.Status))
	if hint := c.hint(e); hint != "" {
		text += "; " + hint
	}
	c.Refused(e, kind, text, nil)
}

// typeKind judges a write to a key with a blob of another type: that is what bars parts, and
// writes that demand an absent object.
func (c *call) typeKind() driver.Kind {
	switch c.Op {
	case driver.OpPutPart, driver.OpCopyPart, driver.OpCompleteUpload:
		return driver.Exists
	}
	if c.Cond.IfAbsent {
		return driver.Exists
	}
	return driver.Invalid
}

func (c *call) hint(e *driver.Error) string {
	if clocks := c.Clocks(); clocks != "" && e.Kind == driver.Denied {
		return clocks
	}
	switch {
	case e.Code == string(bloberror.AuthenticationFailed):
		return "check the account's name, its key or signature, and that the signature has not expired"
	case e.Kind == driver.Denied && e.Code == "":
		return hintRole
	}
	return hints[bloberror.Code(e.Code)]
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
