package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// PrefixName begins the prefix of every run.
const PrefixName = "blobdock-verify-"

// place is where a run keeps its objects: below a prefix of its own.
type place struct {
	url  url.URL // with the prefix in its path
	name string  // of the prefix
}

// newPlace makes a place in the bucket that rawURL names.
func newPlace(rawURL string) (place, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return place{}, fmt.Errorf("%s: want a storage URL such as s3://my-bucket?region=eu-west-1: %w", driver.RedactURL(rawURL), driver.Invalid)
	}
	name := PrefixName + strings.ToLower(rand.Text()[:12])
	p := place{url: *u, name: name}
	p.url.Path = strings.TrimSuffix(u.Path, "/") + "/" + name
	return p, nil
}

// bucket is the name of the bucket or container.
func (p place) bucket() string { return p.url.Host }

// prefix is what stands before the keys of everything in sub, as the store knows them.
func (p place) prefix(sub string) string {
	return strings.TrimPrefix(p.at(sub).Path, "/") + "/"
}

// at is the URL of a folder of the place; "" is the whole place.
func (p place) at(sub string) *url.URL {
	u := p.url
	if sub != "" {
		u.Path += "/" + sub
	}
	return &u
}

// open opens a folder as a bucket of its own.
func (p place) open(ctx context.Context, sub string) (driver.Bucket, error) {
	return driver.Open(ctx, p.at(sub).String())
}
