package survey

import (
	"crypto/md5"
	"encoding/hex"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// Proven reports whether the listing alone shows that o, a link, holds d. On S3
// the ETag is the MD5 of what one request has written, unless it is encrypted with
// keys of KMS or of the customer. Elsewhere it is something else, and never equal.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
func Proven(o driver.Object, d digest.Digest) bool {
	if d == "" || o.Size != int64(len(d)) {
		return false
	}
	sum, ok := md5Of(o)
	return ok && sum == md5.Sum([]byte(d))
}

// Sums finds the digest that a link holds, by the link's ETag and among the digests that were
// added.
type Sums map[[md5.Size]byte]digest.Digest

// Add adds d.
func (s Sums) Add(d digest.Digest) { s[md5.Sum([]byte(d))] = d }

// Find returns the digest for which [Proven] holds.
func (s Sums) Find(o driver.Object) (digest.Digest, bool) {
	sum, ok := md5Of(o)
	d, found := s[sum]
	return d, ok && found && o.Size == int64(len(d))
}

// md5Of is the ETag of o, if it could be an MD5 sum.
func md5Of(o driver.Object) (sum [md5.Size]byte, ok bool) {
	if len(o.ETag) != 2*md5.Size+len(`""`) {
		return sum, false
	}
	n, err := hex.Decode(sum[:], []byte(strings.Trim(o.ETag, `"`)))
	return sum, err == nil && n == len(sum)
}
