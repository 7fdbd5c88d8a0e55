package s3

import (
	"context"
	"encoding/hex"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/blobdock/blobdock/driver"
)

// attributes are what every new object is given, however it comes about. The
// three requests that create one are filled here and nowhere else, so that none
// lacks the encryption key.
type attributes struct {
	sse   types.ServerSideEncryption
	kms   *string
	scope *string // the KMS encryption context
	class types.StorageClass
	acl   types.ObjectCannedACL

	customer *customerKey
}

func (c Config) attributes(customer *customerKey) attributes {
	return attributes{
		customer: customer,

		sse:   types.ServerSideEncryption(c.SSE),
		kms:   text(c.SSEKMSKeyID),
		scope: encryptionContext(c.SSEKMSContext),
		class: types.StorageClass(c.StorageClass),
		acl:   types.ObjectCannedACL(c.ACL),
	}
}

func (a attributes) put(in *s3.PutObjectInput, o driver.WriteOptions) {
	in.ServerSideEncryption, in.SSEKMSKeyId, in.StorageClass, in.ACL = a.sse, a.kms, a.classOf(o), a.acl
	in.SSEKMSEncryptionContext = a.scope
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = a.customer.fields()
	in.ContentType, in.Metadata = text(o.ContentType), o.Metadata
	in.IfMatch, in.IfNoneMatch = conditionOf(o.Cond)
}

func (a attributes) upload(in *s3.CreateMultipartUploadInput, o driver.WriteOptions) {
	in.ServerSideEncryption, in.SSEKMSKeyId, in.StorageClass, in.ACL = a.sse, a.kms, a.classOf(o), a.acl
	in.SSEKMSEncryptionContext = a.scope
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = a.customer.fields()
	in.ContentType, in.Metadata = text(o.ContentType), o.Metadata
}

func (a attributes) copy(in *s3.CopyObjectInput, o driver.WriteOptions) {
	in.ServerSideEncryption, in.SSEKMSKeyId, in.StorageClass, in.ACL = a.sse, a.kms, a.classOf(o), a.acl
	in.SSEKMSEncryptionContext = a.scope
	in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = a.customer.fields()
	in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5 = a.customer.fields()
	in.MetadataDirective = types.MetadataDirectiveCopy
	if o.ContentType != "" || o.Metadata != nil {
		in.MetadataDirective = types.MetadataDirectiveReplace
		in.ContentType, in.Metadata = text(o.ContentType), o.Metadata
	}
	in.IfMatch, in.IfNoneMatch = conditionOf(o.Cond)
}

// classOf is the storage class, which blobs alone have.
func (a attributes) classOf(o driver.WriteOptions) types.StorageClass {
	if o.Use == driver.UseBlob {
		return a.class
	}
	return ""
}

// conditionOf is the values of If-Match and If-None-Match.
func conditionOf(c driver.Cond) (match, noneMatch *string) {
	if c.IfAbsent {
		return nil, aws.String("*")
	}
	return text(c.IfMatch), nil
}

// text is nil for "", which the SDK does not send.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// unsigned leaves the body out of the signature, over plain HTTP too, where the
// SDK would hash it once more: a checksum covers it. A hash that is known
// already, sum, is signed.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func unsigned(sum []byte) func(*s3.Options) {
	return s3.WithAPIOptions(func(stack *middleware.Stack) error {
		if err := v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(stack); err != nil {
			return err
		}
		if len(sum) == 0 {
			return nil
		}
		// Values of the caller's context don't get this far, so it is set inside.
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("blobdock:PayloadHash",
			func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				return next.HandleInitialize(v4.SetPayloadHash(ctx, hex.EncodeToString(sum)), in)
			}), middleware.Before)
	})
}
