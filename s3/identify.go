package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/blobdock/blobdock/driver"
)

// identify lists one key and looks at the reply's header. A refusal tells the store, too:
// one that is addressed in the wrong way, or whose keys are wrong, still has its own form
// of replies.
func (b *Bucket) identify(ctx context.Context) (string, error) {
	ctx, c := b.begin(ctx, driver.OpList, "")
	_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b.bucket(), Prefix: text(string(b.prefix)), MaxKeys: aws.Int32(1)})
	if p, ok := profileOfReply(c.Header); ok {
		return p.name, nil
	}
	if err != nil {
		return "", c.fail(ctx, err)
	}
	return "", nil
}
