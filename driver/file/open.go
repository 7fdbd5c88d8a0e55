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
	switch {
	case u.Opaque != "" || u.Host+u.Path == "":
		return nil, fmt.Errorf("want file:///absolute/path or file://./relative/path: %w", driver.Invalid)
	case u.Host == "localhost":
		return nil, fmt.Errorf("localhost may be this machine or a directory: write file:///absolute/path or file://./localhost: %w", driver.Invalid)
	case u.User != nil:
		return nil, fmt.Errorf("an @ between :// and the next /: write file://./NAME for a directory with an @: %w", driver.Invalid)
	case u.ForceQuery:
		return nil, fmt.Errorf("it ends with a ?: write %%3F for a ? in a name: %w", driver.Invalid)
	}
	o := Options{
		NoCreate: !p.Bool("create", true),
		NoSync:   !p.Bool("fsync", true),
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("%w; write %%3F for a ? in a name", err)
	}
	return func() (driver.Bucket, error) { return New(filepath.FromSlash(u.Host+u.Path), o) }, nil
}
