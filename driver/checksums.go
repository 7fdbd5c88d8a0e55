package driver

import "context"

// StatChecksums is Stat, by one request, with the checksums that the store reports for
// the object. There may be none.
func StatChecksums(ctx context.Context, b Bucket, key string) (Object, error) {
	if stat := b.Features().StatChecksums; stat != nil {
		return stat(ctx, key)
	}
	return b.Stat(ctx, key)
}
