package wire

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/blobdock/blobdock/integration/emulator"
)

// emptyHash is the SHA-256 of an empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// head asks the server itself for the size of a copy's source, an escaped
// "bucket/key".
func head(ctx context.Context, s emulator.S3, source string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.Endpoint+"/"+strings.TrimPrefix(source, "/"), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	cred := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
	err = v4.NewSigner().SignHTTP(ctx, cred, req, emptyHash, "s3", s.Region, time.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("HEAD %s: %s", source, res.Status)
	}
	return res.ContentLength, nil
}

// parseRange reads "bytes=first-last".
func parseRange(s string) (first, last int64, ok bool) {
	n, err := fmt.Sscanf(s, "bytes=%d-%d", &first, &last)
	return first, last, err == nil && n == 2
}
