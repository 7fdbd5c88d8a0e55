package s3

import (
	"context"
	"math"
	"net/url"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

func init() { driver.Register("s3", OpenURL) }

// OpenURL opens s3://bucket/prefix?parameters; the package documentation lists
// the parameters. Importing the package registers it for driver.Open.
func OpenURL(ctx context.Context, u *url.URL) (driver.Bucket, error) {
	c, err := ParseURL(u)
	if err != nil {
		return nil, err
	}
	return Open(ctx, c)
}

// ParseURL reads u into a Config.
func ParseURL(u *url.URL) (Config, error) {
	p, err := cloud.Params(u, "bucket", "the environment, credentials_file or aws_profile")
	if err != nil {
		return Config{}, err
	}
	// auto is for parameters that have no default of their own.
	auto := func(name string) *bool {
		v := p.Bool(name, false)
		if u.Query().Get(name) == "" {
			return nil
		}
		return &v
	}
	const maxCount = 10_000
	c := Config{
		Bucket:   u.Host,
		Prefix:   u.Path,
		Profile:  p.String("profile", "", Profiles()...),
		Endpoint: p.String("endpoint", ""),
		Region:   p.String("region", ""),

		RedirectEndpoint: p.String("redirect_endpoint", ""),

		PathStyle:  auto("path_style"),
		DualStack:  p.Bool("dual_stack", false),
		FIPS:       p.Bool("fips", false),
		Accelerate: p.Bool("accelerate", false),

		CredentialsFile: p.String("credentials_file", ""),
		AWSProfile:      p.String("aws_profile", ""),
		Anonymous:       p.Bool("anonymous", false),
		RoleARN:         p.String("role_arn", ""),
		ExternalID:      p.String("external_id", ""),
		STSEndpoint:     p.String("sts_endpoint", ""),

		SSE:          p.String("sse", ""),
		SSEKMSKeyID:  p.String("sse_kms_key_id", ""),
		StorageClass: p.String("storage_class", ""),
		ACL:          p.String("acl", ""),

		Checksum:   Checksum(p.String("checksum", "")),
		Conditions: Conditions(p.String("conditions", "")),

		PartSize:        p.Bytes("part_size", 0, 1, math.MaxInt64),
		Concurrency:     p.Int("concurrency", 0, 1, maxCount),
		CopyThreshold:   p.Bytes("copy_threshold", 0, 1, math.MaxInt64),
		CopyPartSize:    p.Bytes("copy_part_size", 0, 1, math.MaxInt64),
		CopyConcurrency: p.Int("copy_concurrency", 0, 1, maxCount),

		Network:  p.Network(),
		CertFile: p.String("cert_file", ""),
		KeyFile:  p.String("key_file", ""),
	}
	switch p.String("list_version", "auto", "auto", "v1", "v2") {
	case "v1":
		c.ListV1 = new(true)
	case "v2":
		c.ListV1 = new(false)
	}
	if c.Checksum == "auto" {
		c.Checksum = ChecksumAuto
	}
	if c.Conditions == "auto" {
		c.Conditions = ConditionsAuto
	}
	if err := p.Err(); err != nil {
		return Config{}, err
	}
	return c, c.check()
}
