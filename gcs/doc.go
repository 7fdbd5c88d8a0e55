// Package gcs is the driver for Google Cloud Storage.
//
// Importing it makes the scheme known to driver.Open:
//
//	import _ "github.com/blobdock/blobdock/gcs"
//
//	b, err := driver.Open(ctx, "gs://my-bucket/registry")
//	b, err := driver.Open(ctx, "gs://my-bucket?credentials_file=/etc/blobdock/key.json&storage_class=STANDARD")
//
// The ETag and the Version of the contract are the object's generation, as a decimal
// number.
//
// # Requests
//
// A method makes one request and never repeats it; package driver/retry does.
// The exceptions:
//
//   - Features.Concat is one for up to 32 sources. More are joined in groups first, which
//     takes n/32 + n/1024 requests more; the intermediate objects have the prefix that the
//     caller chose and are consumed by the next request.
//   - Features.Copy is one inside a location and storage class, else as many as the store
//     wants; one more when storage_class is set and the source's metadata is kept.
//   - A refusal whose reason the reply does not tell costs a second request that
//     finds it: a read, copy or delete under a condition, and as long as the store has not
//     shown that the bucket is there, a 404. That of Features.Concat costs a look at each
//     source.
//   - Delete with NotAfter is a signed URL: one more to IAM without a service account's key.
//   - A range of an object without bytes is two.
//   - A request that is refused for its token, 401, is sent once more with a new one.
//   - Features.Sign is none with a service account's key, else one to IAM.
//
// # Uploads
//
// Features.Uploads is nil. Google's resumable uploads belong to one process, and its XML
// multipart uploads honour no preconditions. Features.Concat joins objects by compose
// instead, each pinned by its generation, under the condition on the destination; the
// store deletes the sources in the same request if the caller wants that.
//
// Turn soft delete off for a bucket of a registry, or the pieces of uploads are kept, and
// billed, for a week: https://cloud.google.com/storage/docs/soft-delete
//
// # URL parameters
//
// Unknown names and bad values are errors. Sizes may have a unit, as in 16MiB.
//
//	endpoint           URL of the store; default: Google's, or STORAGE_EMULATOR_HOST,
//	                   which is asked without credentials
//	redirect_endpoint  endpoint as clients reach it that follow redirects, such as
//	                   https://blobs.example.com; default: endpoint
//	redirect_bucket_bound
//	                   redirect_endpoint is the bucket's own host: a load balancer with
//	                   a backend bucket, or a CNAME (http only). Its paths have no
//	                   bucket; default: false
//	universe_domain    default: googleapis.com
//	user_project       project to bill, for a requester-pays bucket
//
//	credentials_file   in place of the application default credentials
//	credentials        such a file's content; a secret: beside the URL, never in it
//	anonymous          send no credentials
//	service_account    email of the account that signs URLs, where the credentials
//	                   have no private key; default: their own
//	iam_endpoint       where such URLs are signed; default: Google's
//
//	storage_class      STANDARD, NEARLINE, COLDLINE or ARCHIVE, of blobs and of their pieces, as
//	                   compose joins objects of one class; default: the bucket's, which
//	                   all else has
//	kms_key            projects/P/locations/L/keyRings/R/cryptoKeys/K; default: the bucket's
//
//	part_size          size of an upload's first pieces; default: 16MiB
//	concurrency        pieces in flight; default: the caller's
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
// With a storage class other than STANDARD pieces are deleted before that class's
// minimum duration; by compose that costs nothing, by Delete a fee.
//
// # Credentials
//
// Application default credentials: GOOGLE_APPLICATION_CREDENTIALS, the file that
// gcloud keeps, and the metadata server, workload identity included. They are
// looked for at the first call. A key file that is replaced is read again at the next call, and
// the credentials are looked for anew when the store refuses their token. Secrets never go
// into a URL.
//
// # Integrity
//
// A CRC32C goes along with each body, and the store compares it. It knows no
// SHA-256: a digest that is known is compared here, in the same pass, before the body is
// sent. Features.Concat sends the CRC32C of the whole where the caller knows it, and the
// store compares that with its sources'; a server that does not shows it in the reply, and
// the object is deleted by its generation. The store keeps the CRC32C of each object, composed ones included, and
// Features.StatChecksums reports it.
//
// # Permissions
//
// The role roles/storage.objectUser on the bucket allows all that blobdock does
// with it. What each permission is for:
//
//	storage.objects.get            Stat, Open, signed GET and HEAD; source of copies and
//	                               of Concat
//	storage.objects.create         Put, Concat, copies
//	storage.objects.delete         Delete; to overwrite in Put, Concat and copies; Concat
//	                               that deletes its sources
//	storage.objects.list           ListPage
//	iam.serviceAccounts.signBlob   signed URLs and Delete with NotAfter without a key file
//	                               (on the account that signs:
//	                               roles/iam.serviceAccountTokenCreator)
//	serviceusage.services.use      with user_project (on the project)
//
// With kms_key the bucket's service agent needs
// roles/cloudkms.cryptoKeyEncrypterDecrypter on the key.
package gcs
