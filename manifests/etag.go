package manifests

import (
	"crypto/md5" //nolint:gosec // what S3 names an object by, nothing that is secret
	"encoding/hex"

	"github.com/opencontainers/go-digest"
)

// etagOf is the ETag of a link to d on stores that name objects by their MD5. Where it is
// another one, the link has other content, or the store other ETags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
func etagOf(d digest.Digest) string {
	sum := md5.Sum([]byte(d)) //nolint:gosec // see above
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
