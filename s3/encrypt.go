package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/blobdock/blobdock/driver"
)

// customerKey is a key that the store encrypts with and forgets (SSE-C). It goes along
// with whatever reads or writes an object's bytes.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
type customerKey struct {
	key, md5 string // base64
}

// String hides the key.
func (k *customerKey) String() string { return driver.Redacted }

// customerKeySize is that of AES-256.
const customerKeySize = 32

// readCustomerKey reads a key as it is, or as base64. nil without a file.
func readCustomerKey(file string) (*customerKey, error) {
	if file == "" {
		return nil, nil
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("sse_customer_key_file: %w: %w", err, driver.Invalid)
	}
	if len(key) != customerKeySize {
		// What the decoder says quotes from the key.
		if key, err = base64.StdEncoding.DecodeString(driver.TrimSecret(string(key))); err != nil || len(key) != customerKeySize {
			return nil, fmt.Errorf("sse_customer_key_file %s: want %d bytes, or their base64: %w", file, customerKeySize, driver.Invalid)
		}
	}
	sum := md5.Sum(key)
	return &customerKey{base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// fields are what a request has of k: nothing where there is none.
func (k *customerKey) fields() (algorithm, key, md5 *string) {
	if k == nil {
		return nil, nil, nil
	}
	return aws.String("AES256"), &k.key, &k.md5
}

// encryptionContext is a KMS encryption context as S3 wants it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
func encryptionContext(pairs map[string]string) *string {
	if len(pairs) == 0 {
		return nil
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		panic(err) // strings always are JSON
	}
	return aws.String(base64.StdEncoding.EncodeToString(text))
}
