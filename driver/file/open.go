package file

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/blobdock/blobdock/driver"
)

func init() { driver.Register("file", openURL) }

// openURL opens file:///absolute/path, file://./relative and file://relative.
func openURL(_ context.Context, u *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
	if u.Opaque != "" || u.Host+u.Path == "" {
		return nil, fmt.Errorf("want file:///absolute/path or file://./relative/path: %w", driver.Invalid)
	}
	o := Options{
		NoCreate: !p.Bool("create", true),
		NoSync:   !p.Bool("fsync", true),
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return func() (driver.Bucket, error) { return New(filepath.FromSlash(u.Host+u.Path), o) }, nil
}
