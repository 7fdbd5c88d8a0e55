package transport

import (
	"fmt"
	"strings"

	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/driver"
)

// Name is the transport's, before the first colon of an image's name.
const Name = "bucket"

// Transport is the transport of images in buckets.
var Transport types.ImageTransport = bucketTransport{}

func init() { transports.Register(Transport) }

type bucketTransport struct{}

// Name implements types.ImageTransport.
func (bucketTransport) Name() string { return Name }

// ParseReference implements types.ImageTransport.
func (bucketTransport) ParseReference(s string) (types.ImageReference, error) {
	ref, err := ParseReference(s)
	if err != nil {
		return nil, err // and no Reference in an interface that is not nil
	}
	return ref, nil
}

// ValidatePolicyConfigurationScope implements types.ImageTransport: a scope is one of
// [Reference.PolicyConfigurationIdentity], or a bucket, a folder of it or a beginning of a
// repository's name.
func (bucketTransport) ValidatePolicyConfigurationScope(scope string) error {
	storage, name, named := strings.Cut(scope, "#")
	u, err := driver.ParseURL(storage)
	switch {
	case err != nil:
		return err
	case u.Scheme == "" || u.Host+u.Path == "" || u.RawQuery != "" || u.User != nil:
		return fmt.Errorf("scope %s: want scheme://bucket/prefix without options: %w", driver.RedactURL(storage), driver.Invalid)
	case strings.HasSuffix(u.Path, "/"):
		return fmt.Errorf("scope %s: want no / at its end: %w", storage, driver.Invalid)
	case !named || repositoryName.MatchString(name):
		return nil
	}
	_, err = parseName(name)
	return err
}
