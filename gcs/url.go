package gcs

import (
	"cmp"
	"context"
	"net/url"
	"strconv"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

func init() { driver.Register("gs", openURL) }

// openURL opens gs://bucket/prefix?parameters; the package documentation lists the
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
	for name, value := range map[string]string{
		"endpoint": b.config.Endpoint, "redirect_endpoint": cmp.Or(b.config.RedirectEndpoint, b.config.Endpoint),
		"iam_endpoint": b.config.IAMEndpoint, "universe_domain": b.config.UniverseDomain,
		"anonymous": strconv.FormatBool(b.config.Anonymous),
		"part_size": driver.FormatBytes(b.features.PartSize),
	} {
		p.Resolve(name, value)
	}
	return func() (driver.Bucket, error) { return b, nil }, nil
}

// parseURL reads u into a Config.
func parseURL(u *url.URL, p *driver.Params) (Config, error) {
	if err := cloud.CheckURL(u, "bucket", "the environment or credentials_file"); err != nil {
		return Config{}, err
	}
	c := Config{
		Bucket:              u.Host,
		Prefix:              u.Path,
		Endpoint:            p.String("endpoint", ""),
		RedirectEndpoint:    p.String("redirect_endpoint", ""),
		RedirectBucketBound: p.Bool("redirect_bucket_bound", false),
		UniverseDomain:      p.String("universe_domain", ""),
		UserProject:         p.String("user_project", ""),
		CredentialsFile:     p.String("credentials_file", ""),
		CredentialsJSON:     p.Secret("credentials"),
		Anonymous:           p.Bool("anonymous", false),
		ServiceAccount:      p.String("service_account", ""),
		IAMEndpoint:         p.String("iam_endpoint", ""),
		StorageClass:        p.String("storage_class", ""),
		KMSKey:              p.String("kms_key", ""),
		PartSize:            p.Bytes("part_size", 0, 1, limits.MaxSize),
		Concurrency:         p.Int("concurrency", 0, 1, 10_000),
		Network:             p.Network(),
	}
	if err := p.Err(); err != nil {
		return Config{}, err
	}
	return c, c.check()
}
