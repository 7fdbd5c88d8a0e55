package azure

import (
	"cmp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/blobdock/blobdock/driver"
)

// defaultType is sent where no type is asked for, so that every object has one:
// that is how a listing tells it from an upload under way.
const defaultType = "application/octet-stream"

// attributes are what every new object is given, however it comes about.
type attributes struct {
	tier  string
	scope string
}

// accessTier is the tier of an object. Blobs have the one that is configured. What else a
// registry keeps has the account's: links and tags are read all the time, and what an upload
// leaves is deleted soon, which the cooler tiers bill for a month or more.
// https://learn.microsoft.com/en-us/azure/storage/blobs/access-tiers-overview
func (a attributes) accessTier(u driver.Use) *blob.AccessTier {
	if a.tier == "" || u != driver.UseBlob {
		return nil
	}
	return to.Ptr(blob.AccessTier(a.tier))
}

func (a attributes) encryption() *blob.CPKScopeInfo {
	if a.scope == "" {
		return nil
	}
	return &blob.CPKScopeInfo{EncryptionScope: &a.scope}
}

func headers(contentType string) *blob.HTTPHeaders {
	return &blob.HTTPHeaders{BlobContentType: to.Ptr(cmp.Or(contentType, defaultType))}
}

// conditionOf is c as If-Match and If-None-Match.
func conditionOf(c driver.Cond) *blob.AccessConditions {
	var m blob.ModifiedAccessConditions
	switch {
	case c.IfAbsent:
		m.IfNoneMatch = to.Ptr(azcore.ETagAny)
	case c.IfMatch != "":
		m.IfMatch = to.Ptr(azcore.ETag(c.IfMatch))
	default:
		return nil
	}
	return &blob.AccessConditions{ModifiedAccessConditions: &m}
}

func sourceCondition(etag string) *blob.SourceModifiedAccessConditions {
	if etag == "" {
		return nil
	}
	return &blob.SourceModifiedAccessConditions{SourceIfMatch: to.Ptr(azcore.ETag(etag))}
}

// encodeMetadata makes names that Azure takes: identifiers of C#, which begin
// with a letter or "_" and have no "-".
// https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
func encodeMetadata(m map[string]string) map[string]*string {
	if len(m) == 0 {
		return nil
	}
	named := make(map[string]*string, len(m))
	for k, v := range m {
		named[encodeName(k)] = &v
	}
	return named
}

// encodeName writes "-" as "_", which names of the contract don't have, and puts
// a "_" before what must not come first, or begins with one.
func encodeName(k string) string {
	k = strings.ReplaceAll(k, "-", "_")
	if k != "" && (k[0] == '_' || k[0] >= '0' && k[0] <= '9') {
		k = "_" + k
	}
	return k
}

func decodeName(k string) string {
	k = strings.TrimPrefix(strings.ToLower(k), "_")
	return strings.ReplaceAll(k, "_", "-")
}

func decodeMetadata(m map[string]*string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	plain := make(map[string]string, len(m))
	for k, v := range m {
		if v != nil {
			plain[decodeName(k)] = *v
		}
	}
	return plain
}

func etag(e *azcore.ETag) string {
	if e == nil {
		return ""
	}
	v := string(*e)
	// Listings have it without quotes, conditions want them.
	if v == "" || strings.HasPrefix(v, `"`) || strings.HasPrefix(v, "W/") {
		return v
	}
	return `"` + v + `"`
}

// value is *p, or nothing.
func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}
