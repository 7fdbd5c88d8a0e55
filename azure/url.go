package azure

import (
	"context"
	"net/url"
	"strconv"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

func init() { driver.Register("azblob", openURL) }

// openURL opens azblob://container/prefix?parameters; the package documentation lists
// the parameters.
func openURL(ctx context.Context, u *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
	c, err := parseURL(u, p)
	if err != nil {
		return nil, err
	}
	b, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	if c.Realm == "" { // which would exclude it
		p.Resolve("endpoint", b.endpoint)
	}
	for name, value := range map[string]string{
		"account": b.account, "redirect_endpoint": b.public,
		"credential":       string(b.credential),
		"api_version":      b.version,
		"checksum":         string(b.checksum),
		"copy_part_size":   driver.FormatBytes(b.features.Copying.PartSize),
		"copy_concurrency": strconv.Itoa(b.features.Copying.Concurrency),
	} {
		p.Resolve(name, value)
	}
	return func() (driver.Bucket, error) { return b, nil }, nil
}

// parseURL reads u into a Config.
func parseURL(u *url.URL, p *driver.Params) (Config, error) {
	if err := cloud.CheckURL(u, "container", "the environment, key_file or the default chain"); err != nil {
		return Config{}, err
	}
	const maxCount = 10_000
	c := Config{
		Container: u.Host,
		Prefix:    u.Path,
		Account:   p.String("account", ""),
		Endpoint:  p.String("endpoint", ""),
		Realm:     p.String("realm", ""),

		APIVersion: p.String("api_version", ""),

		RedirectEndpoint: p.String("redirect_endpoint", ""),

		Credential: Credential(p.String("credential", "")),
		KeyFile:    p.String("key_file", ""),

		Key:              p.Secret("key"),
		SAS:              p.Secret("sas"),
		ConnectionString: p.Secret("connection_string"),

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
