package wire

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/blobdock/blobdock/integration/emulator"
)

// S3 starts a proxy before s, for the time of the test, and returns s as seen
// through it.
func S3(tb testing.TB, s emulator.S3) (emulator.S3, *Proxy) {
	tb.Helper()
	p := forTest(tb, s.Endpoint, protocolS3(s))
	s.Endpoint = p.URL
	return s, p
}

func protocolS3(behind emulator.S3) protocol {
	return protocol{
		operation: OperationS3,
		copied:    func(op string, r *http.Request) int64 { return copiedS3(behind, op, r) },
		keepHost:  true,
	}
}

// copiedS3 is how many bytes s will copy for a request.
func copiedS3(s emulator.S3, op string, r *http.Request) int64 {
	switch op {
	case "UploadPartCopy":
		if n, ok := lengthOf(r.Header.Get("X-Amz-Copy-Source-Range")); ok {
			return n
		}
	case "CopyObject":
	default:
		return 0
	}
	source := s.Endpoint + "/" + strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/")
	req, err := http.NewRequestWithContext(r.Context(), http.MethodHead, source, nil)
	if err != nil {
		return 0
	}
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	cred := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}
	err = v4.NewSigner().SignHTTP(r.Context(), cred, req, emptyHash, "s3", s.Region, time.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		return 0
	}
	return sizeOf(req)
}

// emptyHash is the SHA-256 of an empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// sizeOf asks by HEAD for a size.
func sizeOf(head *http.Request) int64 {
	res, err := http.DefaultClient.Do(head)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0
	}
	return res.ContentLength
}

// lengthOf is how many bytes "bytes=first-last" names.
func lengthOf(s string) (int64, bool) {
	var first, last int64
	n, err := fmt.Sscanf(s, "bytes=%d-%d", &first, &last)
	return last - first + 1, err == nil && n == 2
}
