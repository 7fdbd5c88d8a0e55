package azure

import "github.com/blobdock/blobdock/driver"

const (
	blobs     = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
	mayRead   = blobs + "read (role Storage Blob Data Reader)"
	mayWrite  = blobs + "write (role Storage Blob Data Contributor)"
	mayDelete = blobs + "delete (role Storage Blob Data Contributor)"
)

// permissions are the data actions that allow each verb.
// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-azure-active-directory
var permissions = map[driver.Op]string{
	driver.OpStat: mayRead, driver.OpOpen: mayRead, driver.OpList: mayRead, driver.OpListUploads: mayRead,
	driver.OpPut: mayWrite, driver.OpPutPart: mayWrite, driver.OpCompleteUpload: mayWrite,
	driver.OpCopy: mayRead + " and " + mayWrite, driver.OpCopyPart: mayRead + " and " + mayWrite,
	driver.OpDelete: mayDelete, driver.OpDeleteBatch: mayDelete, driver.OpAbortUpload: mayDelete,
	driver.OpSign: "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action (role Storage Blob Delegator)",
}
