// Package s3 is the driver for Amazon S3 and the stores that speak its protocol.
//
// Importing it makes the scheme known to driver.Open:
//
//	import _ "github.com/blobdock/blobdock/s3"
//
//	b, err := driver.Open(ctx, "s3://my-bucket/registry?region=eu-west-1")
//	b, err := driver.Open(ctx, "s3://my-bucket?endpoint=https://minio.example.com:9000&profile=minio")
//
// A method makes one request and never repeats it; package driver/retry does.
// The one exception: the first Stat of an absent key also asks whether the
// bucket exists, as the reply to a HEAD can't tell.
//
// # URL parameters
//
// Unknown names and bad values are errors. Sizes may have a unit, as in 16MiB.
//
//	region             region; default: endpoint's host name, AWS_REGION, AWS profile
//	endpoint           URL of the store; default: Amazon S3, or AWS_ENDPOINT_URL_S3
//	redirect_endpoint  endpoint as clients reach it that follow redirects, such as
//	                   https://blobs.example.com; default: endpoint
//	profile            aws, minio, r2, ceph, b2, wasabi, gcs, scaleway, storj, oracle,
//	                   oss, obs, digitalocean, hetzner, linode, ovh, ibm, tigris,
//	                   garage, seaweedfs, versitygw, swift or generic; default: by the
//	                   endpoint's host name
//	path_style         bucket in the path rather than in the host name; default: profile's
//	list_version       auto, v1 or v2; default: profile's
//	dual_stack         use IPv6 endpoints too (Amazon S3)
//	fips               use FIPS 140 endpoints (Amazon S3)
//	accelerate         use transfer acceleration (Amazon S3); not with fips or path_style.
//	                   None of the three goes with endpoint
//
//	access_key, secret_key, session_token  static credentials, in place of the default
//	                   chain; secrets: beside the URL, never in it
//	credentials_file   shared credentials file, in place of the default chain
//	aws_profile        section of the AWS configuration and credentials files
//	role_arn           role to assume with these credentials
//	external_id        what the role's trust policy asks for
//	role_duration      how long its credentials work, 15m to 12h; default: 15m
//	sts_endpoint       where to assume the role; default: AWS STS of the region
//	anonymous          sign nothing
//
//	sse                AES256, aws:kms or aws:kms:dsse; default: the bucket's
//	sse_kms_key_id     key for aws:kms and aws:kms:dsse; default: AWS's own
//	sse_kms_context    encryption context for it: name=value,name=value
//	sse_customer_key_file  key that the store encrypts with and does not keep (SSE-C):
//	                   32 bytes, or their base64; over https only, and without
//	                   signed URLs, which would need the key
//	storage_class      of blobs; default: the bucket's, which all else has
//	acl                canned ACL; default: none is sent
//	requester_pays     these credentials pay, as the bucket demands; default: false
//	bucket_owner       account id that has to own the bucket; default: any
//	checksum           auto, none, md5, crc32, crc32c or crc64nvme; default: profile's
//	conditions         what may carry If-Match and If-None-Match: auto, none, put,
//	                   complete (put and completion), all, or a list such as
//	                   put-if-absent,put-if-match; default: profile's
//
//	part_size          size of an upload's first parts; default: the caller's
//	concurrency        parts in flight; default: the caller's
//	part_copy          the store fills parts of uploads with bytes of its own objects, else
//	                   these go through the process; default: profile's
//	copy_threshold     larger objects are copied by parts; default: profile's
//	copy_part_size     bytes a part copy moves; default: profile's
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
// # Access points
//
// An access point of a bucket stands in the place of the bucket's name, by its alias or its
// ARN, which names the region, too:
//
//	s3://my-point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/registry
//	s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/my-point/registry
//
// They exclude path_style, accelerate and anonymous, and are reached by https alone; an
// endpoint is one for access points (https://accesspoint.vpce-1a2b3c4d.s3.eu-west-1.vpce.amazonaws.com).
// In policies their ARN takes the place of the bucket's, and theirs with /object/* that of
// its objects; the bucket's own policy has to let them in. Multi-Region Access Points are
// refused: each request goes to some bucket, which may not have yet what was written before.
// So are access points of S3 on Outposts and of Object Lambda, and directory buckets, which
// list keys in no order.
//
// # Credentials
//
// The SDK's default chain finds them: the environment (AWS_ACCESS_KEY_ID and so
// on), web identity (IRSA), the shared files, ECS and EKS Pod Identity, and the
// instance metadata service, of which version 1 is not asked. Secrets never go
// into a URL: a program sets the fields of [Config], a registry has them beside it.
//
// Credentials are fetched anew five minutes before their end, and for a signed URL when
// they end before half of its life. When the store refuses them (ExpiredToken,
// InvalidAccessKeyId, 403), they are fetched at most every ten seconds, and at once when
// credentials_file or the shared credentials file was replaced; if there are others, the error is Unavailable rather than Denied, and
// package driver/retry repeats the call.
//
// # Integrity
//
// Bodies are not part of the signature, over plain HTTP too: that would hash
// them once more. A checksum of the profile's kind goes along as a header and is
// compared by the store. A Put whose SHA-256 is known sends that instead, so the
// store itself verifies the digest. Where checksum is none, nothing but TLS
// guards a body on its way, and a known SHA-256 is compared before the body is
// sent.
//
// Where checksum is of a kind that the store keeps, a HEAD reports it back for the whole
// object: Features.StatChecksums. MinIO reports none for multipart uploads. An object
// that KMS encrypts needs kms:Decrypt for that; without it, the HEAD is repeated and
// reports none.
//
// # Versions
//
// Object.Version is the object's version id in a versioned bucket, and "" in any
// other. Delete takes a version id on every store, and an ETag where the profile's
// conditions allow it (Amazon S3). An ETag stands for the bytes: it can't tell an object from
// a later one with equal bytes. A NotAfter becomes the expiry of a presigned
// request.
//
// # Permissions
//
// This policy allows all that blobdock does with a bucket without versions:
//
//	{
//	  "Version": "2012-10-17",
//	  "Statement": [
//	    {
//	      "Effect": "Allow",
//	      "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
//	      "Resource": "arn:aws:s3:::my-bucket"
//	    },
//	    {
//	      "Effect": "Allow",
//	      "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
//	      "Resource": "arn:aws:s3:::my-bucket/*"
//	    }
//	  ]
//	}
//
// What each is for:
//
//	s3:GetObject                   Stat, Open, signed GET and HEAD; source of copies;
//	                               If-Match on a write
//	s3:PutObject                   Put, uploads in parts, signed PUT, copies
//	s3:DeleteObject                Delete, DeleteBatch
//	s3:DeleteObjectVersion         the same for one version, in a versioned bucket
//	s3:ListBucket                  ListPage; without it an absent key reads as Denied
//	s3:AbortMultipartUpload        AbortUpload
//	s3:ListBucketMultipartUploads  UploadsPage, which the sweeper needs
//	s3:PutObjectAcl                with the acl parameter
//	kms:GenerateDataKey            writes, with sse=aws:kms or aws:kms:dsse (on the key)
//	kms:Decrypt                    reads and uploads in parts, likewise
//	sts:AssumeRole                 with role_arn (on the role)
package s3
