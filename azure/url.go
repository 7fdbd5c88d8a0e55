package azure

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func init() { driver.Register("azblob", OpenURL) }

// OpenURL opens azblob://container/prefix?parameters; the package documentation
// lists the parameters. Importing the package registers it for driver.Open.
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
		return Config{}, fmt.Errorf("credentials don't belong into a URL; they come from the environment, key_file or the default chain: %w", driver.Invalid)
	case u.Port() != "":
		return Config{}, fmt.Errorf("a container has no port; the store's address goes into the endpoint parameter: %w", driver.Invalid)
	case u.Fragment != "":
		return Config{}, fmt.Errorf("a storage URL has no fragment: %w", driver.Invalid)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("query is malformed: %w", driver.Invalid)
	}
	p := driver.NewParams(q)
	const maxCount = 10_000
	c := Config{
		Container: u.Host,
		Prefix:    u.Path,
		Account:   p.String("account", ""),
		Endpoint:  p.String("endpoint", ""),
		Realm:     p.String("realm", ""),

		Credential: Credential(p.String("credential", "")),
		KeyFile:    p.String("key_file", ""),

		Tier:            p.String("tier", ""),
		EncryptionScope: p.String("encryption_scope", ""),
		Checksum:        Checksum(p.String("checksum", "")),

		PartSize:        p.Bytes("part_size", 0, 1, maxBlock),
		Concurrency:     p.Int("concurrency", 0, 1, maxCount),
		CopyPartSize:    p.Bytes("copy_part_size", 0, 1, maxBlock),
		CopyConcurrency: p.Int("copy_concurrency", 0, 1, maxCount),

		SkipVerify:   p.Bool("skip_verify", false),
		CAFile:       p.String("ca_file", ""),
		MaxConns:     p.Int("max_conns", 0, 1, 1_000_000),
		DialTimeout:  p.Duration("dial_timeout", 0, time.Millisecond, time.Hour),
		StallTimeout: p.Duration("stall_timeout", 0, time.Millisecond, 24*time.Hour),
	}
	if c.Credential == "auto" {
		c.Credential = CredentialAuto
	}
	if c.Checksum == "auto" {
		c.Checksum = ChecksumAuto
	}
	if err := p.Err(); err != nil {
		return Config{}, err
	}
	return c, c.check()
}
