package gcs

import (
	"context"
	"net/url"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

func init() { driver.Register("gs", OpenURL) }

// OpenURL opens gs://bucket/prefix?parameters; the package documentation lists
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
	p, err := cloud.Params(u, "bucket", "the environment or credentials_file")
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Bucket:           u.Host,
		Prefix:           u.Path,
		Endpoint:         p.String("endpoint", ""),
		RedirectEndpoint: p.String("redirect_endpoint", ""),
		UniverseDomain:   p.String("universe_domain", ""),
		UserProject:      p.String("user_project", ""),
		CredentialsFile:  p.String("credentials_file", ""),
		Anonymous:        p.Bool("anonymous", false),
		ServiceAccount:   p.String("service_account", ""),
		IAMEndpoint:      p.String("iam_endpoint", ""),
		StorageClass:     p.String("storage_class", ""),
		KMSKey:           p.String("kms_key", ""),
		PartSize:         p.Bytes("part_size", 0, 1, limits.MaxSize),
		Concurrency:      p.Int("concurrency", 0, 1, 10_000),
		Network:          p.Network(),
	}
	if err := p.Err(); err != nil {
		return Config{}, err
	}
	return c, c.check()
}
