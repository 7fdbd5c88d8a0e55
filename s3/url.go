package s3

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

func init() { driver.Register("s3", openURL) }

// openURL opens s3://bucket/prefix?parameters, where the bucket may be the ARN of an access
// point, as in s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/name/prefix; the package documentation lists the
// parameters.
func openURL(ctx context.Context, u *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
	c, err := parseURL(u, p)
	if err != nil {
		return nil, err
	}
	b, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	b.tell(c, p)
	return func() (driver.Bucket, error) { return b, nil }, nil
}

// parseURL reads u into a Config.
func parseURL(u *url.URL, p *driver.Params) (Config, error) {
	bucket, prefix := splitARN(u.Host, u.Path)
	at := *u
	if isARN(bucket) {
		at.Host = "" // which has colons, and no port
	}
	if err := cloud.CheckURL(&at, "bucket", "the environment, credentials_file or aws_profile"); err != nil {
		return Config{}, err
	}
	const maxCount = 10_000
	c := Config{
		Bucket:   bucket,
		Prefix:   prefix,
		Profile:  p.String("profile", "", Profiles()...),
		Endpoint: p.String("endpoint", ""),
		Region:   p.String("region", ""),

		RedirectEndpoint: p.String("redirect_endpoint", ""),

		PathStyle:  p.OptionalBool("path_style"),
		PartCopy:   p.OptionalBool("part_copy"),
		DualStack:  p.Bool("dual_stack", false),
		FIPS:       p.Bool("fips", false),
		Accelerate: p.Bool("accelerate", false),

		AccessKeyID:     p.Secret("access_key"),
		SecretAccessKey: p.Secret("secret_key"),
		SessionToken:    p.Secret("session_token"),
		CredentialsFile: p.String("credentials_file", ""),
		AWSProfile:      p.String("aws_profile", ""),
		Anonymous:       p.Bool("anonymous", false),
		RoleARN:         p.String("role_arn", ""),
		ExternalID:      p.String("external_id", ""),
		RoleDuration:    p.Duration("role_duration", 0, minRoleDuration, maxRoleDuration),
		STSEndpoint:     p.String("sts_endpoint", ""),

		SSE:          p.String("sse", ""),
		SSEKMSKeyID:  p.String("sse_kms_key_id", ""),
		StorageClass: p.String("storage_class", ""),
		ACL:          p.String("acl", ""),

		RequesterPays: p.Bool("requester_pays", false),
		BucketOwner:   p.String("bucket_owner", ""),

		Checksum:   Checksum(p.String("checksum", "")),
		Conditions: Conditions(strings.Join(p.List("conditions"), ",")),

		PartSize:        p.Bytes("part_size", 0, 1, math.MaxInt64),
		Concurrency:     p.Int("concurrency", 0, 1, maxCount),
		CopyThreshold:   p.Bytes("copy_threshold", 0, 1, math.MaxInt64),
		CopyPartSize:    p.Bytes("copy_part_size", 0, 1, math.MaxInt64),
		CopyConcurrency: p.Int("copy_concurrency", 0, 1, maxCount),

		SSECustomerKeyFile: p.String("sse_customer_key_file", ""),

		Network: p.Network(),
	}
	var err error
	if c.SSEKMSContext, err = pairs("sse_kms_context", p.List("sse_kms_context")); err != nil {
		return Config{}, err
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

// pairs reads name=value items.
func pairs(name string, list []string) (map[string]string, error) {
	var m map[string]string
	for _, item := range list {
		key, value, ok := strings.Cut(item, "=")
		if _, twice := m[key]; !ok || key == "" || twice {
			return nil, fmt.Errorf("%s: want name=value,name=value: %w", name, driver.Invalid)
		}
		if m == nil {
			m = make(map[string]string)
		}
		m[key] = value
	}
	return m, nil
}

// tell sets the parameters that c leaves to the profile, the endpoint's host name or
// the environment to what b uses.
func (b *Bucket) tell(c Config, p *driver.Params) {
	pr, f := b.profile, b.features
	endpoint := aws.ToString(b.client.Options().BaseEndpoint)
	listing := "v2"
	if pr.listV1 {
		listing = "v1"
	}
	for name, value := range map[string]string{
		"profile": pr.name, "region": b.region, "endpoint": endpoint,
		"redirect_endpoint": cmp.Or(c.RedirectEndpoint, endpoint),
		"path_style":        strconv.FormatBool(pr.pathStyle),
		"list_version":      listing,
		"part_copy":         strconv.FormatBool(pr.copyPart != 0),
		"checksum":          string(pr.checksum),
		"conditions":        string(conditionsOf(pr.conds)),
		"copy_threshold":    driver.FormatBytes(pr.copyOneBelow),
		"copy_concurrency":  strconv.Itoa(f.Copying.Concurrency),
	} {
		p.Resolve(name, value)
	}
	if pr.copyPart != 0 {
		p.Resolve("copy_part_size", driver.FormatBytes(pr.copyPart))
	}
	if pr.partSize != 0 {
		p.Resolve("part_size", driver.FormatBytes(pr.partSize))
	}
}

// conditionsOf is the option that conds come to.
func conditionsOf(c driver.Conds) Conditions {
	c.Concat, c.DeleteNotAfter, c.DeleteBatch = driver.NoCond, false, false
	for _, word := range []Conditions{ConditionsPut, ConditionsComplete, ConditionsAll} {
		if got, err := word.conds(c); err == nil && got == c {
			return word
		}
	}
	return Conditions(c.List())
}
