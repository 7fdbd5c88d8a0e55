package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// isJoined reports whether the object at key is the one that the parts make. Ceph 16.2.15
// completes an upload and leaves the ETag in its reply empty.
func (b *Bucket) isJoined(ctx context.Context, key string, parts []driver.Part) bool {
	want := joinedETag(parts)
	if want == "" {
		return false
	}
	obj, err := b.head(ctx, key, "")
	return err == nil && obj.ETag == want
}

// joinedETag is the ETag of an object made of parts, on stores whose ETag of a part is its
// MD5: the MD5 of these, and how many there are. "" is for parts with other ETags.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func joinedETag(parts []driver.Part) string {
	sum := md5.New()
	for _, p := range parts {
		b, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil || len(b) != md5.Size {
			return ""
		}
		sum.Write(b)
	}
	return fmt.Sprintf("\"%x-%d\"", sum.Sum(nil), len(parts))
}
