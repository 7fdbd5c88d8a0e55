package s3

import "github.com/blobdock/blobdock/driver"

// permissions are the actions of a policy that allow each verb.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
var permissions = map[driver.Op]string{
	driver.OpStat: "s3:GetObject", driver.OpOpen: "s3:GetObject", driver.OpSign: "s3:GetObject",
	driver.OpPut: "s3:PutObject", driver.OpCreateUpload: "s3:PutObject", driver.OpPutPart: "s3:PutObject",
	driver.OpCompleteUpload: "s3:PutObject",
	driver.OpCopy:           "s3:GetObject and s3:PutObject", driver.OpCopyPart: "s3:GetObject and s3:PutObject",
	driver.OpDelete: "s3:DeleteObject", driver.OpDeleteBatch: "s3:DeleteObject",
	driver.OpList: "s3:ListBucket", driver.OpListUploads: "s3:ListBucketMultipartUploads",
	driver.OpAbortUpload: "s3:AbortMultipartUpload",
}
