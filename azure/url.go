package azure

import (
	"context"
	"net/url"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
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
	p, err := cloud.Params(u, "container", "the environment, key_file or the default chain")
	if err != nil {
		return Config{}, err
	}
	const maxCount = 10_000
	c := Config{
		Container: u.Host,
		Prefix:    u.Path,
		Account:   p.String("account", ""),
		Endpoint:  p.String("endpoint", ""),
		Realm:     p.String("realm", ""),

		RedirectEndpoint: p.String("redirect_endpoint", ""),

		Credential: Credential(p.String("credential", "")),
		KeyFile:    p.String("key_file", ""),

		Tier:            p.String("tier", ""),
		EncryptionScope: p.String("encryption_scope", ""),
		Checksum:        Checksum(p.String("checksum", "")),

		PartSize:        p.Bytes("part_size", 0, 1, maxBlock),
		Concurrency:     p.Int("concurrency", 0, 1, maxCount),
		CopyPartSize:    p.Bytes("copy_part_size", 0, 1, maxBlock),
		CopyConcurrency: p.Int("copy_concurrency", 0, 1, maxCount),

		Network: p.Network(),
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
