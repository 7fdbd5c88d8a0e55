// Package listing holds the arithmetic of listings that the embedded drivers
// share: a place in a listing is the smallest string that may come next.
package listing

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// Behind is the smallest string after key. Keys have no control characters, so
// nothing lies in between.
func Behind(key string) string { return key + "\x00" }

// BehindPrefix is the smallest string after all that begin with prefix, which
// ends in "/".
func BehindPrefix(prefix string) string { return prefix[:len(prefix)-1] + "0" }

// Token makes a page's Next from the place behind it.
func Token(from string) string { return base64.RawURLEncoding.EncodeToString([]byte(from)) }

// From is where the page that q asks for begins.
func From(q driver.ListRequest) (string, error) {
	from := q.Prefix
	if q.StartAfter != "" {
		from = max(from, Behind(q.StartAfter))
	}
	return resume(from, q.Token)
}

// Upload is the place of an upload in a listing of uploads: by key, then by id.
func Upload(key, id string) string { return key + "\x00" + id }

// FromUpload is From for a listing of uploads.
func FromUpload(q driver.ListRequest) (string, error) {
	from := q.Prefix
	if q.StartAfter != "" {
		from = max(from, q.StartAfter+"\x01") // behind all ids of that key
	}
	return resume(from, q.Token)
}

func resume(from, token string) (string, error) {
	if token == "" {
		return from, nil
	}
	at, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", fmt.Errorf("listing token %q is not one of this store's: %w", token, driver.Invalid)
	}
	return max(from, string(at)), nil
}

// Rollup is the common prefix that q shows instead of key, or "" when it shows
// key itself.
func Rollup(q driver.ListRequest, key string) string {
	if q.Delimiter == "" {
		return ""
	}
	i := strings.Index(key[len(q.Prefix):], q.Delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(q.Prefix)+i+1]
}
