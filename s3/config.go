package s3

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Checksum says how the store checks what it is sent. The sum goes as a plain
// header, worked out beforehand: trailers after the body are not understood by
// every store, and not needed where bodies can be read twice.
type Checksum string

const (
	ChecksumAuto      Checksum = "" // as the profile has it
	ChecksumNone      Checksum = "none"
	ChecksumMD5       Checksum = "md5" // Content-MD5, which every store knows; slow
	ChecksumCRC32     Checksum = "crc32"
	ChecksumCRC32C    Checksum = "crc32c"
	ChecksumCRC64NVME Checksum = "crc64nvme"
)

var checksums = []Checksum{ChecksumAuto, ChecksumNone, ChecksumMD5, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME}

// Conditions says which writes may carry If-Match and If-None-Match: one of the constants,
// or what driver.Conds.List makes. A store that ignores conditions loses
// updates, so that profiles name only what is documented.
type Conditions string

const (
	ConditionsAuto     Conditions = "" // as the profile has it
	ConditionsNone     Conditions = "none"
	ConditionsPut      Conditions = "put"      // PutObject
	ConditionsComplete Conditions = "complete" // PutObject and CompleteMultipartUpload
	ConditionsAll      Conditions = "all"      // CopyObject as well
)

// conds are those of a profile under the option.
func (c Conditions) conds(p driver.Conds) (driver.Conds, error) {
	switch c {
	case ConditionsAuto:
		return p, nil
	case ConditionsPut:
		return driver.Conds{Put: driver.AllConds}, nil
	case ConditionsComplete:
		return writeConds, nil
	case ConditionsAll:
		return driver.Conds{Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds, Delete: p.Delete}, nil
	}
	got, err := driver.ParseConds(string(c))
	switch {
	case err != nil:
		return got, fmt.Errorf("conditions %q: want one of none, put, complete, all, or a list such as put-if-absent,put-if-match: %w", string(c), driver.Invalid)
	case got.Concat != driver.NoCond || got.Delete&driver.CondIfAbsent != 0:
		return got, fmt.Errorf("conditions %s: S3 has no concat-if-absent, concat-if-match and delete-if-absent: %w", c, driver.Invalid)
	}
	return got, nil
}

// Config describes a bucket and how to reach it. Bucket alone is enough on AWS
// where the environment or a profile of the AWS configuration names the region.
type Config struct {
	Bucket string // its name, or the alias or the ARN of one of its access points
	Prefix string // of all keys; a "/" is put between prefix and key

	// Profile is one of Profiles. By default the endpoint's host name tells.
	Profile string
	// Endpoint is the store's URL, without the bucket. By default Amazon S3, or
	// what AWS_ENDPOINT_URL_S3 says.
	Endpoint string
	// RedirectEndpoint is Endpoint as clients reach it that are sent there by
	// signed URLs; by default they reach it as this process does.
	RedirectEndpoint string
	// Region, by default as the endpoint's host name, the AWS configuration or
	// the profile tells.
	Region     string
	PathStyle  *bool // nil: as the profile has it
	ListV1     *bool // nil: as the profile has it
	PartCopy   *bool // the store fills parts with bytes of its own objects; nil: as the profile has it
	DualStack  bool  // AWS: IPv4 and IPv6
	FIPS       bool  // AWS: FIPS 140 endpoints
	Accelerate bool  // AWS: transfer acceleration

	// Credentials come from the SDK's default chain: environment, web identity,
	// shared files, ECS and EKS, instance metadata (IMDSv2 only). One of the
	// following takes its place.
	AccessKeyID     string `json:"-"`
	SecretAccessKey string `json:"-"`
	SessionToken    string `json:"-"`
	CredentialsFile string // a shared credentials file
	AWSProfile      string // its section, and that of the configuration file
	Anonymous       bool   // requests go unsigned

	// RoleARN is a role to assume with these credentials.
	RoleARN    string
	ExternalID string
	// RoleDuration is how long the role's credentials work; 0 is 15 minutes. At most what
	// the role allows, and an hour where these credentials are a role's, too.
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	RoleDuration time.Duration
	STSEndpoint  string

	SSE         string // AES256, aws:kms or aws:kms:dsse; "" is the bucket's default
	SSEKMSKeyID string
	// SSEKMSContext is the encryption context for aws:kms and aws:kms:dsse: what the
	// key's policy may ask for.
	SSEKMSContext map[string]string
	// SSECustomerKeyFile holds the key that the store encrypts with and does not keep
	// (SSE-C): 32 bytes, or their base64. Such objects are read with the key alone, so
	// that no URLs are signed.
	SSECustomerKeyFile string
	StorageClass       string // "" is the bucket's default
	ACL                string // a canned ACL; "" sends none, as owner-enforced buckets demand

	// RequesterPays accepts that these credentials pay for requests and bytes, as buckets
	// of that kind demand.
	RequesterPays bool
	// BucketOwner is the account that has to own the bucket, or requests are refused.
	BucketOwner string

	Checksum   Checksum
	Conditions Conditions

	PartSize        int64 // preferred size of an upload's first parts; 0 leaves it to the caller
	Concurrency     int   // preferred parts in flight; 0 leaves it to the caller
	CopyThreshold   int64 // larger objects are copied by parts; 0 is as the profile has it
	CopyPartSize    int64 // 0 is as the profile has it
	CopyConcurrency int   // 0 is 8

	driver.Network
}

// String is fit for logs: it has no credentials.
func (c Config) String() string {
	for _, secret := range []*string{&c.AccessKeyID, &c.SecretAccessKey, &c.SessionToken} {
		if *secret != "" {
			*secret = "***"
		}
	}
	type bare Config // has no String
	return fmt.Sprintf("%+v", bare(c))
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

const defaultCopyConcurrency = 8

// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (DurationSeconds)
const (
	minRoleDuration = 15 * time.Minute
	maxRoleDuration = 12 * time.Hour
)

var sses = []string{"", string(types.ServerSideEncryptionAes256), string(types.ServerSideEncryptionAwsKms), string(types.ServerSideEncryptionAwsKmsDsse)}

// check returns an Invalid error for the first thing that is wrong in c.
func (c Config) check() error {
	switch {
	case c.Bucket == "":
		return fmt.Errorf("no bucket is named, want s3://bucket/prefix: %w", driver.Invalid)
	case strings.HasSuffix(c.Bucket, directoryBucket), strings.HasSuffix(c.Bucket, directoryAccessPoint):
		return fmt.Errorf("bucket %q: directory buckets (S3 Express One Zone) are not supported: they list keys in no order: %w", c.Bucket, driver.Invalid)
	case c.BucketOwner != "" && !accountID.MatchString(c.BucketOwner):
		return fmt.Errorf("bucket_owner %q: want an account id of 12 digits: %w", c.BucketOwner, driver.Invalid)
	case !isARN(c.Bucket) && strings.ContainsAny(c.Bucket, "/?#@: "):
		return fmt.Errorf("bucket %q: not the name of a bucket: %w", c.Bucket, driver.Invalid)
	case c.Profile != "" && !slices.Contains(Profiles(), c.Profile):
		return cloud.OneOf("profile", c.Profile, Profiles())
	case !slices.Contains(checksums, c.Checksum):
		return cloud.OneOf("checksum", c.Checksum, checksums)
	case !slices.Contains(sses, c.SSE):
		return cloud.OneOf("sse", c.SSE, sses)
	case c.SSEKMSKeyID != "" && !strings.HasPrefix(c.SSE, "aws:kms"):
		return fmt.Errorf("sse_kms_key_id: wants sse=aws:kms or sse=aws:kms:dsse: %w", driver.Invalid)
	case len(c.SSEKMSContext) > 0 && !strings.HasPrefix(c.SSE, "aws:kms"):
		return fmt.Errorf("sse_kms_context: wants sse=aws:kms or sse=aws:kms:dsse: %w", driver.Invalid)
	case c.SSECustomerKeyFile != "" && c.SSE != "":
		return fmt.Errorf("sse and sse_customer_key_file exclude each other: %w", driver.Invalid)
	case archived(c.StorageClass):
		return fmt.Errorf("storage_class %s: objects there can't be read at once: %w", c.StorageClass, driver.Invalid)
	case c.ACL != "" && !slices.Contains(types.ObjectCannedACL("").Values(), types.ObjectCannedACL(c.ACL)):
		return cloud.OneOf("acl", types.ObjectCannedACL(c.ACL), types.ObjectCannedACL("").Values())
	case (c.AccessKeyID == "") != (c.SecretAccessKey == ""):
		return fmt.Errorf("access key and secret key go together: %w", driver.Invalid)
	case c.SessionToken != "" && c.AccessKeyID == "":
		return fmt.Errorf("a session token needs its access key: %w", driver.Invalid)
	case c.Anonymous && (c.AccessKeyID != "" || c.CredentialsFile != "" || c.AWSProfile != "" || c.RoleARN != ""):
		return fmt.Errorf("anonymous excludes all other credentials: %w", driver.Invalid)
	case c.RoleARN == "" && (c.ExternalID != "" || c.STSEndpoint != "" || c.RoleDuration != 0):
		return fmt.Errorf("external_id, role_duration and sts_endpoint need a role_arn: %w", driver.Invalid)
	case c.RoleDuration != 0 && (c.RoleDuration < minRoleDuration || c.RoleDuration > maxRoleDuration):
		return fmt.Errorf("role_duration %v: AWS takes %v to %v: %w", c.RoleDuration, minRoleDuration, maxRoleDuration, driver.Invalid)
	case c.Accelerate && c.FIPS:
		return fmt.Errorf("accelerate and fips exclude each other: transfer acceleration has no FIPS endpoints: %w", driver.Invalid)
	case c.Accelerate && c.PathStyle != nil && *c.PathStyle:
		return fmt.Errorf("accelerate and path_style exclude each other: accelerated buckets are in the host name: %w", driver.Invalid)
	case c.PartSize < 0 || c.CopyPartSize < 0 || c.CopyThreshold < 0 || c.Concurrency < 0 || c.CopyConcurrency < 0:
		return fmt.Errorf("sizes and counts must not be negative: %w", driver.Invalid)
	}
	if isARN(c.Bucket) {
		if _, err := parseARN(c.Bucket); err != nil {
			return err
		}
	}
	if _, err := c.Conditions.conds(driver.Conds{}); err != nil {
		return err
	}
	if _, err := cloud.NewPrefix(c.Prefix); err != nil {
		return err
	}
	if err := driver.CheckNetwork(c.Network); err != nil {
		return err
	}
	if err := cloud.CheckEndpoint("endpoint", c.Endpoint, exampleEndpoint); err != nil {
		return err
	}
	if err := cloud.CheckEndpoint("redirect_endpoint", c.RedirectEndpoint, exampleEndpoint); err != nil {
		return err
	}
	return cloud.CheckEndpoint("sts_endpoint", c.STSEndpoint, exampleEndpoint)
}

// directoryBucket is how the names of directory buckets end, and directoryAccessPoint is how
// those of their access points do.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-directory-buckets-restrictions-limitations-naming-rules.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (order of keys)
const (
	directoryBucket      = "--x-s3"
	directoryAccessPoint = "--xa-s3"
)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// hostOptions names the options of c that choose among Amazon's hosts.
func (c Config) hostOptions() string {
	var names []string
	for name, set := range map[string]bool{"accelerate": c.Accelerate, "dual_stack": c.DualStack, "fips": c.FIPS} {
		if set {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// archived tells the storage classes that need a restore before a read.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
func archived(class string) bool {
	return class == string(types.StorageClassGlacier) || class == string(types.StorageClassDeepArchive)
}

const exampleEndpoint = "https://minio.example.com:9000"

// adjust is p with c's options put over it.
func (c Config) adjust(p profile) (profile, error) {
	if c.PathStyle != nil {
		p.pathStyle = *c.PathStyle
	}
	if c.ListV1 != nil {
		p.listV1 = *c.ListV1
	}
	if c.PartCopy != nil && !*c.PartCopy {
		p.copyPart, p.copyOneBelow = 0, p.copyMax
	}
	if c.Checksum != ChecksumAuto {
		p.checksum = c.Checksum
	}
	var err error
	if p.conds, err = c.Conditions.conds(p.conds); err != nil {
		return p, err
	}
	// Other stores have classes of their own; Ceph's are named by its operator.
	if classes := types.StorageClass("").Values(); p.name == "aws" && c.StorageClass != "" && !slices.Contains(classes, types.StorageClass(c.StorageClass)) {
		return p, cloud.OneOf("storage_class", types.StorageClass(c.StorageClass), classes)
	}
	for _, size := range []struct {
		name string
		got  int64
	}{{"part_size", c.PartSize}, {"copy_part_size", c.CopyPartSize}} {
		if size.got != 0 && (size.got < p.parts.MinSize || size.got > p.parts.MaxSize) {
			return p, fmt.Errorf("%s %s: %s takes %s to %s: %w", size.name, driver.FormatBytes(size.got), p.name,
				driver.FormatBytes(p.parts.MinSize), driver.FormatBytes(p.parts.MaxSize), driver.Invalid)
		}
	}
	if c.PartSize != 0 {
		p.partSize = c.PartSize
	}
	if c.CopyPartSize != 0 && p.copyPart != 0 {
		p.copyPart = c.CopyPartSize
	}
	p.copyPart = min(p.copyPart, p.parts.MaxSize)
	if c.CopyThreshold > p.copyMax {
		return p, fmt.Errorf("copy_threshold %s: %s copies at most %s at once: %w",
			driver.FormatBytes(c.CopyThreshold), p.name, driver.FormatBytes(p.copyMax), driver.Invalid)
	}
	if c.CopyThreshold != 0 && p.copyPart != 0 {
		p.copyOneBelow = c.CopyThreshold
	}
	return p, nil
}
