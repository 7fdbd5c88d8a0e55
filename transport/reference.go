package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	dockerreference "go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/manifests"
)

// Reference is an image in a bucket.
type Reference struct {
	storage string // URL, free of secrets
	image   name
}

var _ types.ImageReference = Reference{}

// name is the part of a reference behind the #.
type name struct {
	repository string
	tag        string        // "" where there is a digest
	digest     digest.Digest // "" where there is a tag
}

func (n name) String() string {
	if n.digest != "" {
		return n.repository + "@" + n.digest.String()
	}
	return n.repository + ":" + n.tag
}

// ref is the tag or the digest.
func (n name) ref() string { return cmp.Or(n.tag, n.digest.String()) }

// ParseReference parses a reference without the transport's name before it. Its errors are of
// the kind driver.Invalid, and repeat no option of the URL. The store's package must have been
// imported; the store is not asked.
func ParseReference(s string) (Reference, error) {
	storage, image, ok := strings.Cut(s, "#")
	if err := checkStorage(storage); err != nil {
		return Reference{}, err
	}
	if !ok {
		return Reference{}, fmt.Errorf("reference %s: want #repository:tag or #repository@digest behind the URL: %w", driver.RedactURL(storage), driver.Invalid)
	}
	n, err := parseName(image)
	if err != nil {
		return Reference{}, err
	}
	return Reference{storage, n}, nil
}

// checkStorage refuses a URL that opens no store.
func checkStorage(storage string) error {
	_, err := driver.Parse(context.Background(), storage, nil)
	return err
}

// repositoryName is the specification's pattern of repositories.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
var repositoryName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

func parseName(s string) (name, error) {
	n := name{repository: s}
	if repository, d, ok := strings.Cut(s, "@"); ok {
		n.repository, n.digest = repository, digest.Digest(d)
		if strings.Contains(repository, ":") {
			return name{}, fmt.Errorf("image %q: want a tag or a digest, and not both: %w", s, driver.Invalid)
		}
		if err := n.digest.Validate(); err != nil {
			return name{}, fmt.Errorf("image %q: %w: %w", s, err, driver.Invalid)
		}
	} else if repository, tag, ok := strings.Cut(s, ":"); ok {
		n.repository, n.tag = repository, tag
		if !manifests.IsTag(tag) {
			return name{}, fmt.Errorf("image %q: tag %q: want letters, digits, _, . and -, at most 128, and neither . nor - first: %w", s, tag, driver.Invalid)
		}
	}
	switch {
	case !repositoryName.MatchString(n.repository):
		return name{}, fmt.Errorf("image %q: repository %q: want lower-case letters, digits and single . _ - between them, in parts separated by /: %w", s, n.repository, driver.Invalid)
	case n.tag == "" && n.digest == "":
		return name{}, fmt.Errorf("image %q: want a tag or a digest, such as %s:v1 or %s@sha256:...; there is no default tag: %w", s, s, s, driver.Invalid)
	}
	return n, nil
}

// String is the reference as people read it, without the store's options.
func (r Reference) String() string {
	return Name + ":" + driver.RedactURL(r.storage) + "#" + r.image.String()
}

// Transport implements types.ImageReference.
func (Reference) Transport() types.ImageTransport { return Transport }

// StringWithinTransport implements types.ImageReference. The URL's options are in it, none of
// which is a secret.
func (r Reference) StringWithinTransport() string { return r.storage + "#" + r.image.String() }

// DockerReference implements types.ImageReference: nil, as a bucket is no host of a registry.
func (Reference) DockerReference() dockerreference.Named { return nil }

// place is where the bucket is, without options, and without a / at the end.
func (r Reference) place() string {
	u, err := driver.ParseURL(r.storage)
	if err != nil {
		return ""
	}
	where := path.Clean("/" + u.EscapedPath())
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(where, "/")
}

// PolicyConfigurationIdentity implements types.ImageReference:
//
//	s3://my-bucket/registry#team/app:v1
//
// Options don't count, and with them the endpoint doesn't.
func (r Reference) PolicyConfigurationIdentity() string { return r.place() + "#" + r.image.String() }

// PolicyConfigurationNamespaces implements types.ImageReference: the repository, what is above
// it, and the bucket's folders.
func (r Reference) PolicyConfigurationNamespaces() []string {
	var all []string
	place := r.place()
	for n := r.image.repository; n != "."; n = path.Dir(n) {
		all = append(all, place+"#"+n)
	}
	root := strings.Index(place, "://") + len("://")
	for {
		all = append(all, place)
		end := strings.LastIndexByte(place, '/')
		if end <= root {
			return all
		}
		place = place[:end]
	}
}

// NewImage implements types.ImageReference.
func (r Reference) NewImage(ctx context.Context, sys *types.SystemContext) (types.ImageCloser, error) {
	src, err := r.newSource(ctx)
	if err != nil {
		return nil, err
	}
	img, err := image.FromSource(ctx, sys, src)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return img, nil
}

// NewImageSource implements types.ImageReference. It reads the manifest; driver.NotFound when
// there is none.
func (r Reference) NewImageSource(ctx context.Context, _ *types.SystemContext) (types.ImageSource, error) {
	src, err := r.newSource(ctx)
	if err != nil {
		return nil, err // and no *Source in an interface that is not nil
	}
	return src, nil
}

// NewImageDestination implements types.ImageReference. A directory that does not exist is made.
func (r Reference) NewImageDestination(ctx context.Context, _ *types.SystemContext) (types.ImageDestination, error) {
	d, err := r.newDestination(ctx)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// DeleteImage implements types.ImageReference. By a tag it deletes the tag alone, by a digest the
// manifest and all tags that are it. The content stays until garbage collection finds that nothing
// refers to it. driver.NotFound when there is no such tag or manifest.
func (r Reference) DeleteImage(ctx context.Context, _ *types.SystemContext) error {
	b, err := openExisting(ctx, r.storage)
	if err != nil {
		return err
	}
	m, _ := b.repository(r.image.repository)
	if r.image.tag != "" {
		err = m.Tags().Untag(ctx, r.image.tag)
	} else if err = m.Delete(ctx, r.image.digest); errors.Is(err, distribution.ErrBlobUnknown) {
		err = distribution.ErrManifestUnknownRevision{Name: r.image.repository, Revision: r.image.digest}
	}
	return errors.Join(r.wrap(err), b.Close())
}

// wrap says which image an error is about.
func (r Reference) wrap(err error) error {
	var (
		noTag      distribution.ErrTagUnknown
		noManifest distribution.ErrManifestUnknownRevision
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &noTag), errors.As(err, &noManifest):
		return fmt.Errorf("%s: %w: %w", r, driver.NotFound, err)
	}
	return fmt.Errorf("%s: %w", r, err)
}
