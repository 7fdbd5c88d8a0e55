package s3

import (
	"regexp"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

// awsParts are the limits of Amazon S3, which most stores copy.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
var awsParts = driver.PartLimits{
	MinSize:   5 * mib,
	MaxSize:   5 * gib,
	MaxParts:  10_000,
	MaxObject: 10_000 * 5 * gib,
	MaxPut:    5 * gib,
}

// limits is awsParts with another largest object.
func limits(object int64) driver.PartLimits {
	l := awsParts
	l.MaxObject = object
	return l
}

const (
	// batchMax is from
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
	batchMax = 1000
	// copyMax is from
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
	copyMax = 5 * gib
	// Copies by parts in parallel are faster than one request from about here on:
	// 1 GB took 10 s instead of 30 (https://github.com/distribution/distribution/issues/1906).
	copyOneBelow = 256 * mib
	copyPart     = 64 * mib
)

var writeConds = driver.Conds{Put: driver.AllConds, Complete: driver.AllConds}

// profiles is every store that is known by name. The first is used without an
// endpoint, the last where no other fits.
var profiles = []profile{
	{
		name: "aws",
		// The DNS suffixes of all partitions, with those of dual-stack endpoints:
		// https://github.com/aws/aws-sdk-go-v2/blob/main/internal/endpoints/awsrulesfn/partitions.go
		hosts: []string{
			".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".c2s.ic.gov", ".cloud.adc-e.uk", ".csp.hci.ic.gov", ".sc2s.sgov.gov",
			".api.aws", ".api.amazonwebservices.com.cn", ".api.amazonwebservices.eu", ".api.aws.hci.ic.gov", ".api.aws.ic.gov",
			".api.aws.scloud", ".api.cloud-aws.adc-e.uk",
		},
		regionInHost: true,
		// Announced as full-object: completion needs no list of sums then, and S3 works
		// out that of a part which comes without (by a signed URL, by a copy).
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
		// https://github.com/pgsty/silo/issues/46 compares with MinIO.
		checksum:        ChecksumCRC32C,
		declareChecksum: true, // else "expected checksum Type: null, actual checksum Type: crc32c"
		parts:           awsParts,
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
		conds:        driver.Conds{Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds, Delete: driver.CondIfMatch},
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name: "minio",
		// https://github.com/minio/minio/blob/RELEASE.2025-09-07T16-13-09Z/cmd/api-headers.go
		replies: []mark{server("MinIO")},
		region:  "us-east-1",
		// Seen on 2026-02-12.
		uploadsByKey: true,
		pathStyle:    true, // buckets in host names need MINIO_DOMAIN and wildcard DNS
		// Compared on each part also where it was not announced. Where it was, MinIO
		// wants every part's sum at completion, of full-object types too, and refuses
		// part copies and signed parts, which have none (seen on 2026-02-12).
		checksum: ChecksumCRC32C,
		// https://min.io/docs/minio/linux/operations/concepts/thresholds.html
		parts: limits(48*tib + 840*gib),
		// Conditions on a copy and on a delete are ignored without a word (seen on
		// 2026-02-12).
		conds:        writeConds,
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:      "r2",
		hosts:     []string{".r2.cloudflarestorage.com"},
		region:    "auto", // https://developers.cloudflare.com/r2/api/s3/api/
		pathStyle: true,
		checksum:  ChecksumMD5,
		// No 100 Continue: https://developers.cloudflare.com/r2/api/s3/extensions/
		noExpect: true,
		// All parts but the last have one size, and limits are a little below S3's:
		// https://developers.cloudflare.com/r2/objects/upload-objects/
		// https://developers.cloudflare.com/r2/platform/limits/
		parts: driver.PartLimits{
			MinSize: 5 * mib, MaxSize: 5*gib - 5*mib, MaxParts: 10_000,
			MaxObject: 5*tib - 5*gib, MaxPut: 5*gib - 5*mib, Uniform: true,
		},
		// https://developers.cloudflare.com/r2/api/s3/api/ lists the conditions of
		// PutObject; none for completion, and its own headers for copies.
		conds:        driver.Conds{Put: driver.AllConds},
		copyMax:      5*gib - 5*mib,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
		// "Concurrent writes to the same object name (key): 1 per second"
		// https://developers.cloudflare.com/r2/platform/limits/
		keyInterval: time.Second,
	},
	{
		name: "ceph",
		// Releases before 17 send no Server header. The ids of RGW's requests end in the
		// gateway's number and the zone, those of Swift don't.
		// https://github.com/ceph/ceph/blob/main/src/rgw/rgw_rest.cc (end_header)
		// https://github.com/ceph/ceph/blob/main/src/rgw/rgw_common.h (unique_trans_id)
		replies:   []mark{server("Ceph Object Gateway"), {"X-Amz-Request-Id", regexp.MustCompile(`^tx[0-9a-f]{21}-[0-9a-f]{10}-[0-9a-f]+-.`)}},
		region:    "us-east-1", // the name of RGW's zone group is not checked in signatures
		pathStyle: true,
		// ListObjectsV2 is missing in older releases, and slow on large buckets.
		listV1:    true,
		checksum:  ChecksumMD5,
		md5Delete: true,
		// rgw_max_put_size and rgw_multipart_min_part_size:
		// https://docs.ceph.com/en/latest/radosgw/config-ref/
		parts: limits(5 * tib),
		// Conditions depend on the release; the conditions option tells.
		// RGW moves a copy's bytes before it answers, so large ones run into time-outs.
		copyMax:      copyMax,
		copyOneBelow: 32 * mib,
		copyPart:     32 * mib,
		batchMax:     batchMax,
	},
	{
		name:         "b2",
		hosts:        []string{".backblazeb2.com"},
		regionInHost: true,
		// https://www.backblaze.com/docs/cloud-storage-s3-compatible-api
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(10 * tib),
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name: "wasabi",
		// Seen in users' logs: "Server: WasabiS3/7.20.2951-2024-06-14".
		replies:      []mark{server("WasabiS3/")},
		hosts:        []string{".wasabisys.com"},
		region:       "us-east-1", // of s3.wasabisys.com, which names none
		regionInHost: true,
		pathStyle:    true, // https://docs.wasabi.com/docs/rest-api-introduction
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(5 * tib),
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:             "gcs",
		hosts:            []string{"storage.googleapis.com"},
		region:           "auto", // any name will do
		pathStyle:        true,
		checksum:         ChecksumMD5,
		unsignedEncoding: true, // the front end appends gzip(gfe)
		// https://cloud.google.com/storage/quotas
		parts: limits(5 * tib),
		// Preconditions are x-goog-if-generation-match, and multipart uploads have
		// neither part copies nor preconditions; the gs:// driver has them all.
		// https://cloud.google.com/storage/docs/multipart-uploads
		copyMax:      5 * tib,
		copyOneBelow: 5 * tib,
	},
	{
		name:         "scaleway",
		hosts:        []string{".scw.cloud"},
		regionInHost: true,
		checksum:     ChecksumMD5,
		md5Delete:    true,
		// https://www.scaleway.com/en/docs/object-storage/api-cli/multipart-uploads/
		parts: driver.PartLimits{
			MinSize: 5 * mib, MaxSize: 5 * gib, MaxParts: 1000, MaxObject: 5_000_000_000_000, MaxPut: 5 * gib,
		},
		// https://www.scaleway.com/en/docs/object-storage/api-cli/using-conditional-writes/
		conds:        driver.Conds{Put: driver.AllConds},
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:      "storj",
		hosts:     []string{".storjshare.io"},
		region:    "us-1", // any name will do
		checksum:  ChecksumMD5,
		md5Delete: true,
		// A part fills whole segments of 64 MiB, and there are no part copies:
		// https://storj.dev/dcs/api/s3/s3-compatibility
		parts: driver.PartLimits{
			MinSize: 64 * mib, MaxSize: 5 * gib, MaxParts: 10_000, MaxObject: 10_000 * 5 * gib, MaxPut: 5 * gib,
		},
		partSize:     64 * mib,
		copyMax:      10_000 * 5 * gib, // a copy moves no bytes there
		copyOneBelow: 10_000 * 5 * gib,
		batchMax:     batchMax,
	},
	{
		name: "oracle",
		// https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm
		hosts:        []string{".oraclecloud.com", ".oci.customer-oci.com"},
		regionInHost: true,
		pathStyle:    true,
		// https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm
		checksum:  ChecksumMD5,
		md5Delete: true,
		// https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/usingmultipartuploads.htm
		parts: driver.PartLimits{
			MinSize: 10 * mib, MaxSize: 5 * gib, MaxParts: 10_000, MaxObject: 10 * tib, MaxPut: 5 * gib,
		},
		partSize:     10 * mib,
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:         "oss",
		hosts:        []string{".aliyuncs.com"},
		replies:      []mark{server("AliyunOSS")},
		regionInHost: true, // oss-cn-hangzhou
		// The bucket is in the host name alone, no conditions of writes are known, and
		// multipart uploads can't be listed:
		// https://www.alibabacloud.com/help/en/oss/developer-reference/compatibility-with-amazon-s3
		// https://github.com/tobi/walgit/issues/67
		checksum:  ChecksumMD5,
		md5Delete: true,
		// https://www.alibabacloud.com/help/en/oss/user-guide/limits
		parts: limits(48*tib + 840*gib),
		// https://www.alibabacloud.com/help/en/oss/developer-reference/copyobject
		copyMax:      gib,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name: "obs",
		// https://support.huaweicloud.com/intl/en-us/productdesc-obs/obs_03_0152.html
		hosts:        []string{".myhuaweicloud.com", ".myhuaweicloud.eu"},
		regionInHost: true,
		checksum:     ChecksumMD5,
		md5Delete:    true,
		// https://support.huaweicloud.com/intl/en-us/productdesc-obs/obs_03_0360.html
		parts:        limits(48*tib + 840*gib),
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:         "digitalocean",
		hosts:        []string{".digitaloceanspaces.com"},
		regionInHost: true,
		checksum:     ChecksumMD5,
		md5Delete:    true,
		// https://docs.digitalocean.com/products/spaces/details/limits/
		parts:        limits(5_000_000_000_000),
		copyMax:      copyMax,
		copyOneBelow: 32 * mib, // it is Ceph
		copyPart:     32 * mib,
		batchMax:     batchMax,
	},
	{
		name: "hetzner",
		// https://docs.hetzner.com/storage/object-storage/overview/
		hosts:        []string{".your-objectstorage.com"},
		regionInHost: true,
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(5 * tib),
		// https://docs.hetzner.com/storage/object-storage/supported-actions/
		copyMax:      copyMax,
		copyOneBelow: 32 * mib, // it is Ceph
		copyPart:     32 * mib,
		batchMax:     batchMax,
	},
	{
		name: "linode",
		// https://techdocs.akamai.com/cloud-computing/docs/endpoint-types
		hosts:        []string{".linodeobjects.com"},
		regionInHost: true,
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(5 * tib),
		copyMax:      copyMax,
		copyOneBelow: 32 * mib, // it is Ceph
		copyPart:     32 * mib,
		batchMax:     batchMax,
	},
	{
		name: "ovh",
		// https://github.com/ovh/docs/tree/develop/pages/storage_and_backup/object_storage/s3_location
		hosts:        []string{".io.cloud.ovh.net", ".perf.cloud.ovh.net", ".io.cloud.ovh.us", ".perf.cloud.ovh.us"},
		regionInHost: true,
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(5 * tib),
		// https://docs.ovhcloud.com/it/guides/storage-and-backup/object-storage/s3-conditional-writes
		conds:        driver.Conds{Put: driver.AllConds, Complete: driver.AllConds, Delete: driver.CondIfMatch},
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:         "ibm",
		hosts:        []string{".cloud-object-storage.appdomain.cloud"},
		replies:      []mark{server("Cleversafe/")},
		regionInHost: true,
		// https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-compatibility-common
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(10 * tib),
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:    "tigris",
		hosts:   []string{".t3.storage.dev", ".t3.storageapi.dev", ".storage.tigris.dev"},
		replies: []mark{server("Tigris OS")},
		region:  "auto", // https://www.tigrisdata.com/docs/api/s3.md
		// https://www.tigrisdata.com/docs/objects/conditionals.md
		conds:        driver.Conds{Put: driver.AllConds},
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(5 * tib),
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:      "garage",
		region:    "garage", // https://garagehq.deuxfleurs.fr/documentation/reference-manual/configuration/ (s3_region)
		pathStyle: true,
		// https://garagehq.deuxfleurs.fr/reference_manual/s3_compatibility.html
		checksum:     ChecksumMD5,
		md5Delete:    true,
		parts:        limits(5 * tib),
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name:      "seaweedfs",
		replies:   []mark{server("SeaweedFS")},
		region:    "us-east-1",
		pathStyle: true,
		checksum:  ChecksumMD5,
		md5Delete: true,
		parts:     limits(5 * tib),
		// Depend on the release; serve finds out.
		conds:        writeConds,
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name: "versitygw",
		// https://github.com/versity/versitygw/blob/main/s3api/server.go
		replies:   []mark{server("VERSITYGW")},
		region:    "us-east-1",
		pathStyle: true,
		checksum:  ChecksumMD5,
		md5Delete: true,
		parts:     limits(5 * tib),
		// Depend on the release; serve finds out.
		conds:        writeConds,
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		name: "swift",
		// https://github.com/openstack/swift/blob/2.30.1/swift/common/middleware/catch_errors.py
		replies:   []mark{{header: "X-Openstack-Request-Id"}},
		region:    "us-east-1", // of s3api's configuration
		pathStyle: true,
		checksum:  ChecksumMD5,
		md5Delete: true,
		// max_upload_part_num, and Swift's max_file_size:
		// https://github.com/openstack/swift/blob/2.30.1/swift/common/middleware/s3api/s3api.py
		parts: driver.PartLimits{
			MinSize: 5 * mib, MaxSize: 5 * gib, MaxParts: 1000, MaxObject: 1000 * 5 * gib, MaxPut: 5 * gib,
		},
		// Conditions are refused with 501:
		// https://github.com/openstack/swift/blob/2.30.1/swift/common/middleware/s3api/s3request.py
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
	{
		// What nearly every store takes; options widen or narrow it.
		name:      generic,
		region:    "us-east-1",
		pathStyle: true,
		// The oldest of the checks, which all have.
		checksum:  ChecksumMD5,
		md5Delete: true,
		parts:     limits(5 * tib),
		// Most stores honour them by now. serve finds out which a store ignores or refuses.
		conds:        writeConds,
		copyMax:      copyMax,
		copyOneBelow: copyOneBelow,
		copyPart:     copyPart,
		batchMax:     batchMax,
	},
}
