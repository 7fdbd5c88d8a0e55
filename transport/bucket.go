package transport

import (
	"context"
	"crypto/rand"

	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/manifests"
	"github.com/blobdock/blobdock/probe"
)

// bucket is a bucket that is open.
type bucket struct {
	*blobstore.Store
	manifests *manifests.Service
}

// open opens the bucket at a URL, with the profile that the store's replies tell where nothing
// else does.
func open(ctx context.Context, storage string, more driver.Overrides) (*bucket, error) {
	b, _, err := probe.Open(ctx, func(ctx context.Context, found driver.Overrides) (driver.Bucket, error) {
		all := driver.Overrides{}
		for _, o := range []driver.Overrides{found, more} {
			for name, value := range o {
				all[name] = value
			}
		}
		l, err := driver.Parse(ctx, storage, all)
		if err != nil {
			return nil, err
		}
		return l.Open()
	})
	if b == nil {
		return nil, err
	}
	// Where the profile can't be told, the requests to come tell why.
	s, err := blobstore.New(b, blobstore.Options{Secret: []byte(rand.Text())})
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return &bucket{s, manifests.New(s)}, nil
}

// openExisting is open of what is there: a directory that is not is most likely mistyped.
func openExisting(ctx context.Context, storage string) (*bucket, error) {
	if u, err := driver.ParseURL(storage); err == nil && u.Scheme == "file" && !u.Query().Has("create") {
		return open(ctx, storage, driver.Overrides{"create": "false"})
	}
	return open(ctx, storage, nil)
}

// repository is the manifests and the blobs of a repository, whose name is good.
func (b *bucket) repository(name string) (*manifests.Repository, *blobstore.Repository) {
	named, _ := reference.WithName(name)
	return b.manifests.Repository(named, manifests.Options{Delete: true}), b.Repository(named)
}
