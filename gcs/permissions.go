package gcs

import "github.com/blobdock/blobdock/driver"

const (
	mayCreate = "storage.objects.create"
	mayDelete = "storage.objects.delete"
	mayGet    = "storage.objects.get"
	mayList   = "storage.objects.list"
	// To overwrite an object takes the permission to delete it as well.
	mayReplace = mayCreate + " and " + mayDelete
)

// permissions allow each verb; the role Storage Object User has all but the last.
// https://cloud.google.com/storage/docs/access-control/iam-json
var permissions = map[driver.Op]string{
	driver.OpStat: mayGet, driver.OpOpen: mayGet,
	driver.OpPut: mayReplace, driver.OpConcat: mayGet + " and " + mayReplace, driver.OpCopy: mayGet + " and " + mayReplace,
	driver.OpDelete: mayDelete, driver.OpDeleteBatch: mayDelete, driver.OpList: mayList,
	driver.OpSign: "iam.serviceAccounts.signBlob",
}
