// Package azure is the driver for Azure Blob Storage.
//
// Importing it makes the scheme known to driver.Open:
//
//	import _ "github.com/blobdock/blobdock/azure"
//
//	b, err := driver.Open(ctx, "azblob://my-container/registry?account=myaccount")
//	b, err := driver.Open(ctx, "azblob://my-container?endpoint=http://127.0.0.1:10000/devstoreaccount1")
//
// A second slash behind the container, as in azblob://my-container//registry, names keys that begin
// with a slash, as registries of older layouts have them.
//
// # URL parameters
//
// Unknown names and bad values are errors. Sizes may have a unit, as in 16MiB.
//
//	account            storage account; default: the connection string's, the
//	                   endpoint's, AZURE_STORAGE_ACCOUNT
//	endpoint           URL of the account's blob service, without the container; default:
//	                   https://account.blob.realm
//	redirect_endpoint  endpoint as clients reach it that follow redirects, such as
//	                   https://blobs.example.com; default: endpoint
//	realm              domain of the cloud; default: core.windows.net
//	api_version        version of the protocol, from 2021-12-02 on, for a store that does
//	                   not know the newest; default: the SDK's
//
//	credential         auto, key, connection-string, sas, default or anonymous
//	key_file           file with the account's key
//	key, sas, connection_string  the account's key, a shared access signature, a
//	                   connection string; secrets: beside the URL, never in it
//
//	tier               of blobs' content, not of what else a registry keeps: Hot, Cool or
//	                   Cold; default: the account's
//	encryption_scope   default: the container's
//	checksum           auto, crc64, md5 or none; default: crc64
//
//	part_size          size of an upload's first parts; default: the caller's
//	concurrency        parts in flight; default: the caller's
//	copy_part_size     bytes a part copy moves; default: 64MiB
//	copy_concurrency   part copies in flight; default: 8
//
//	ca_file            PEM file of the authorities to trust, in place of the system's
//	client_cert_file   PEM file of this client's certificate, where the store, or a
//	                   proxy before it, asks for one
//	client_key_file    and of its key
//	skip_verify        trust any certificate; for tests
//	max_conns          connections to the store; default: no limit
//	idle_conns         of them kept for the next request; default: 256
//	idle_timeout       how long they are kept; default: 50s, at most stall_timeout
//	dial_timeout       until a connection is made; default: 5s
//	stall_timeout      without a byte moving, in the midst of a request; default: 30s
//	log_requests       log each request, without headers and queries; default: false
//
// # Credentials
//
// By default the first of these that is there: AZURE_STORAGE_CONNECTION_STRING,
// AZURE_STORAGE_KEY or key_file, AZURE_STORAGE_SAS_TOKEN, and else the SDK's
// default chain: environment, workload identity, managed identity, command line
// tools; AZURE_TOKEN_CREDENTIALS restricts it. Secrets never go into a URL: a
// program sets the fields of [Config], a registry has them beside it.
//
// A rotated credential is read again without a restart where it is in a file: key_file, the
// certificate of AZURE_CLIENT_CERTIFICATE_PATH and the token of AZURE_FEDERATED_TOKEN_FILE. A
// request that is refused with AuthenticationFailed is repeated while the file has another key.
// Where the old key signed the source of a copy, a URL or the requests of a batch, the error is
// Unavailable rather than Denied, and package driver/retry repeats the call. What is in the environment (AZURE_STORAGE_KEY, AZURE_CLIENT_SECRET) takes a restart.
//
// Requests for tokens go to AZURE_AUTHORITY_HOST, by the same proxy, ca_file and time-outs as
// those to the store. ca_file has to hold the authorities of both.
//
// # Permissions
//
// Roles for credential=default, on the container unless it says otherwise:
//
//	Storage Blob Data Contributor   everything but signing
//	Storage Blob Data Reader        Stat, Open, ListPage; enough for a read-only registry
//	Storage Blob Delegator          Sign, in addition; on the account
//
// Permissions of each operation, below Microsoft.Storage/storageAccounts/:
//
//	blobServices/containers/blobs/read       Stat, Open, ListPage, UploadsPage; source of
//	                                         copies; a completion that is refused
//	blobServices/containers/blobs/write      Put, uploads in parts, copies
//	blobServices/containers/blobs/delete     Delete, DeleteBatch, AbortUpload
//	blobServices/generateUserDelegationKey   Sign, Delete with NotAfter
//
// A shared access signature for the container needs racwdl. A bucket opened by one
// signs no URLs. With a token, too, it does so only where the endpoint's host name
// begins with the account. Delete with NotAfter is a signed request, and offered where
// URLs are. With a token and an older api_version there are neither.
//
// # Versions
//
// The Version of the contract is the ETag, which no two versions of a blob share. Blob
// versions, which a storage account may keep, have no part in it.
//
// # Requests
//
// A method makes one request and never repeats it; package driver/retry does.
// These make another number:
//
//	CreateUpload     none
//	PutPart          none, for a part without bytes
//	AbortUpload      none, or two below a folder _uploads (see below)
//	CompleteUpload   two when the parts are refused, to tell why
//	Open, Delete     two when the ETag is another, to tell why
//	Open             two of an object without bytes
//	Copy             two when the copy gets another content type or metadata
//	Put, Copy        three more over an append or page blob (see below)
//	Sign             one now and then, for a key, with credential=default; so does Delete
//	                 with NotAfter
//
// # Uploads
//
// Parts are uncommitted blocks of the blob itself, so that nothing is copied to
// complete an upload and no empty or partial object ever shows. Azure keeps blocks
// by the blob's name and knows no uploads, hence:
//
//   - Whatever is written at a key drops all parts that wait there, those of other
//     uploads too. Completing one of these is NotFound, or Exists under IfAbsent.
//   - Parts that are sent after a completion or an abort are accepted, and wait.
//   - A part that is put again does not take away the one before. Each has an ETag
//     of its own, which names its block: what is completed is what was named.
//   - Azure drops blocks a week after the last one came, and bills them until then.
//     AbortUpload drops them at once where the key is below a folder _uploads: to do
//     so it has to put an empty object there for a moment.
//   - UploadsPage tells keys, neither uploads nor their times. The ID that it gives
//     is good for AbortUpload only.
//   - Type and metadata travel in Upload.ID: Azure takes them with the completion.
//
// # Blob types
//
// Azure never changes a blob's type, and this driver writes block blobs. Append blobs, as
// distribution's azure driver writes them, and page blobs are read, listed, deleted and
// copied like others. Put and Copy delete such a blob, under If-Match, and write anew;
// nothing is at the key for a moment. Parts to its key are Exists, and Stat reports
// Object.DeleteFirst.
//
// # Integrity
//
// A CRC-64 of every body goes along as a header and is compared by the store. A
// Put whose SHA-256 is known compares that before the body is sent, as Azure can't.
//
// # Keys and metadata
//
// A key with a backslash is refused, since Azure takes it for a slash; better not
// to use segments that end in a dot either. Names of metadata have "_" for "-" on
// the wire, and a "_" before a leading digit or "_". Accounts with a hierarchical
// namespace list folder by folder rather than in byte order, and are not meant for
// this driver: the first listing that shows one logs a warning. Their folders, which
// are blobs without bytes, are neither listed nor found.
package azure
