package gcs

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/blobdock/blobdock/driver"
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
	switch {
	case u.User != nil:
		return Config{}, fmt.Errorf("credentials don't belong into a URL; they come from the environment or credentials_file: %w", driver.Invalid)
	case u.Port() != "":
		return Config{}, fmt.Errorf("a bucket has no port; the store's address goes into the endpoint parameter: %w", driver.Invalid)
	case u.Fragment != "":
		return Config{}, fmt.Errorf("a storage URL has no fragment: %w", driver.Invalid)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("query is malformed: %w", driver.Invalid)
	}
	p := driver.NewParams(q)
	c := Config{
		Bucket:          u.Host,
		Prefix:          u.Path,
		Endpoint:        p.String("endpoint", ""),
		UniverseDomain:  p.String("universe_domain", ""),
		UserProject:     p.String("user_project", ""),
		CredentialsFile: p.String("credentials_file", ""),
		Anonymous:       p.Bool("anonymous", false),
		ServiceAccount:  p.String("service_account", ""),
		IAMEndpoint:     p.String("iam_endpoint", ""),
		StorageClass:    p.String("storage_class", ""),
		KMSKey:          p.String("kms_key", ""),
		PartSize:        p.Bytes("part_size", 0, 1, limits.MaxSize),
		Concurrency:     p.Int("concurrency", 0, 1, 10_000),
		SkipVerify:      p.Bool("skip_verify", false),
		CAFile:          p.String("ca_file", ""),
		MaxConns:        p.Int("max_conns", 0, 1, 1_000_000),
		DialTimeout:     p.Duration("dial_timeout", 0, time.Millisecond, time.Hour),
		StallTimeout:    p.Duration("stall_timeout", 0, time.Millisecond, 24*time.Hour),
	}
	if err := p.Err(); err != nil {
		return Config{}, err
	}
	return c, c.check()
}
