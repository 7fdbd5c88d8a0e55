package s3

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
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

// Conditions says which writes may carry If-Match and If-None-Match. A store that
// ignores them loses updates, so that profiles name only what is documented.
type Conditions string

const (
	ConditionsAuto     Conditions = "" // as the profile has it
	ConditionsNone     Conditions = "none"
	ConditionsPut      Conditions = "put"      // PutObject
	ConditionsComplete Conditions = "complete" // PutObject and CompleteMultipartUpload
	ConditionsAll      Conditions = "all"      // CopyObject as well
)

var conditions = []Conditions{ConditionsAuto, ConditionsNone, ConditionsPut, ConditionsComplete, ConditionsAll}

// Config describes a bucket and how to reach it. Bucket alone is enough on AWS
// where the environment or a profile of the AWS configuration names the region.
type Config struct {
	Bucket string
	Prefix string // of all keys; a "/" is put between prefix and key

	// Profile is one of Profiles. By default the endpoint's host name tells.
	Profile string
	// Endpoint is the store's URL, without the bucket. By default Amazon S3, or
	// what AWS_ENDPOINT_URL_S3 says.
	Endpoint string
	// Region, by default as the endpoint's host name, the AWS configuration or
	// the profile tells.
	Region     string
	PathStyle  *bool // nil: as the profile has it
	ListV1     *bool // nil: as the profile has it
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
	RoleARN     string
	ExternalID  string
	STSEndpoint string

	SSE          string // AES256, aws:kms or aws:kms:dsse; "" is the bucket's default
	SSEKMSKeyID  string
	StorageClass string // "" is the bucket's default
	ACL          string // a canned ACL; "" sends none, as owner-enforced buckets demand

	Checksum   Checksum
	Conditions Conditions

	PartSize        int64 // preferred size of an upload's first parts; 0 leaves it to the caller
	Concurrency     int   // preferred parts in flight; 0 leaves it to the caller
	CopyThreshold   int64 // larger objects are copied by parts; 0 is as the profile has it
	CopyPartSize    int64 // 0 is as the profile has it
	CopyConcurrency int   // 0 is 8

	SkipVerify        bool   // any certificate will do; for tests
	CAFile            string // PEM, in place of the system's authorities
	CertFile, KeyFile string // PEM, this client's certificate
	MaxConns          int    // connections to the store; 0 is no limit
	// DialTimeout bounds how long a connection takes to be made; 0 is 5 s.
	DialTimeout time.Duration
	// StallTimeout is how long a connection may stand still in the midst of a
	// request before it is given up; 0 is 60 s. It does not bound the whole of a
	// request that makes progress.
	StallTimeout time.Duration
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

const (
	defaultDialTimeout     = 5 * time.Second
	defaultStallTimeout    = 30 * time.Second
	defaultCopyConcurrency = 8
)

var sses = []string{"", string(types.ServerSideEncryptionAes256), string(types.ServerSideEncryptionAwsKms), string(types.ServerSideEncryptionAwsKmsDsse)}

// check returns an Invalid error for the first thing that is wrong in c.
func (c Config) check() error {
	switch {
	case c.Bucket == "":
		return fmt.Errorf("no bucket is named, want s3://bucket/prefix: %w", driver.Invalid)
	case strings.ContainsAny(c.Bucket, "/?#@: "):
		return fmt.Errorf("bucket %q: not the name of a bucket: %w", c.Bucket, driver.Invalid)
	case c.Profile != "" && !slices.Contains(Profiles(), c.Profile):
		return oneOf("profile", c.Profile, Profiles())
	case !slices.Contains(checksums, c.Checksum):
		return oneOf("checksum", c.Checksum, checksums)
	case !slices.Contains(conditions, c.Conditions):
		return oneOf("conditions", c.Conditions, conditions)
	case !slices.Contains(sses, c.SSE):
		return oneOf("sse", c.SSE, sses)
	case c.SSEKMSKeyID != "" && !strings.HasPrefix(c.SSE, "aws:kms"):
		return fmt.Errorf("sse_kms_key_id: wants sse=aws:kms or sse=aws:kms:dsse: %w", driver.Invalid)
	case archived(c.StorageClass):
		return fmt.Errorf("storage_class %s: objects there can't be read at once: %w", c.StorageClass, driver.Invalid)
	case c.ACL != "" && !slices.Contains(types.ObjectCannedACL("").Values(), types.ObjectCannedACL(c.ACL)):
		return oneOf("acl", types.ObjectCannedACL(c.ACL), types.ObjectCannedACL("").Values())
	case (c.AccessKeyID == "") != (c.SecretAccessKey == ""):
		return fmt.Errorf("access key and secret key go together: %w", driver.Invalid)
	case c.SessionToken != "" && c.AccessKeyID == "":
		return fmt.Errorf("a session token needs its access key: %w", driver.Invalid)
	case c.Anonymous && (c.AccessKeyID != "" || c.CredentialsFile != "" || c.AWSProfile != "" || c.RoleARN != ""):
		return fmt.Errorf("anonymous excludes all other credentials: %w", driver.Invalid)
	case c.RoleARN == "" && (c.ExternalID != "" || c.STSEndpoint != ""):
		return fmt.Errorf("external_id and sts_endpoint need a role_arn: %w", driver.Invalid)
	case (c.CertFile == "") != (c.KeyFile == ""):
		return fmt.Errorf("cert_file and key_file go together: %w", driver.Invalid)
	case c.PartSize < 0 || c.CopyPartSize < 0 || c.CopyThreshold < 0 || c.Concurrency < 0 || c.CopyConcurrency < 0 || c.MaxConns < 0:
		return fmt.Errorf("sizes and counts must not be negative: %w", driver.Invalid)
	case c.DialTimeout < 0 || c.StallTimeout < 0:
		return fmt.Errorf("timeouts must not be negative: %w", driver.Invalid)
	}
	if p := c.prefix(); p != "" {
		if err := driver.CheckKey(p[:len(p)-1]); err != nil {
			return fmt.Errorf("prefix: %w", err)
		}
	}
	if err := checkEndpoint("endpoint", c.Endpoint); err != nil {
		return err
	}
	return checkEndpoint("sts_endpoint", c.STSEndpoint)
}

// archived tells the storage classes that need a restore before a read.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
func archived(class string) bool {
	return class == string(types.StorageClassGlacier) || class == string(types.StorageClassDeepArchive)
}

func oneOf[T ~string](name string, got T, allowed []T) error {
	var names []string
	for _, a := range allowed {
		if a != "" {
			names = append(names, string(a))
		}
	}
	return fmt.Errorf("%s %q: want one of %s: %w", name, string(got), strings.Join(names, ", "), driver.Invalid)
}

// checkEndpoint does not repeat the endpoint: what is wrong may be a password.
func checkEndpoint(name, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%s: want a URL such as https://minio.example.com:9000: %w", name, driver.Invalid)
	case u.User != nil:
		return fmt.Errorf("%s: credentials don't belong into a URL: %w", name, driver.Invalid)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: want a URL without query and fragment: %w", name, driver.Invalid)
	}
	return nil
}

// prefix is c.Prefix as it stands before keys: "", or with a "/" at its end.
func (c Config) prefix() string {
	p := strings.Trim(c.Prefix, "/")
	if p == "" {
		return ""
	}
	return p + "/"
}

// adjust is p with c's options put over it.
func (c Config) adjust(p profile) (profile, error) {
	if c.PathStyle != nil {
		p.pathStyle = *c.PathStyle
	}
	if c.ListV1 != nil {
		p.listV1 = *c.ListV1
	}
	if c.Checksum != ChecksumAuto {
		p.checksum = c.Checksum
	}
	switch c.Conditions {
	case ConditionsNone:
		p.conds = driver.Conds{}
	case ConditionsPut:
		p.conds = driver.Conds{Put: driver.AllConds}
	case ConditionsComplete:
		p.conds = writeConds
	case ConditionsAll:
		p.conds = driver.Conds{Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds}
	}
	// Other stores have classes of their own; Ceph's are named by its operator.
	if classes := types.StorageClass("").Values(); p.name == "aws" && c.StorageClass != "" && !slices.Contains(classes, types.StorageClass(c.StorageClass)) {
		return p, oneOf("storage_class", types.StorageClass(c.StorageClass), classes)
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
