package oci

import (
	"context"
	"iter"
	"net/http"

	"cuelabs.dev/go/oci/ociregistry"
	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/manifests"
)

// Options tune New.
type Options struct {
	// Redirect has ResolveBlob tell a signed URL, where the store signs any. Whoever gets the
	// descriptor can read the blob until the URL expires.
	Redirect bool
	// ReadOnly refuses all that changes the store, by ociregistry.ErrDenied.
	ReadOnly bool
	// Manifests are the rules for manifests. Deletion is allowed here unless ReadOnly is set.
	Manifests manifests.Options
}

// registry implements ociregistry.Interface.
type registry struct {
	*ociregistry.Funcs // of a later Interface: unsupported

	store     *blobstore.Store
	friend    friend.Store
	manifests *manifests.Service
	options   Options
}

var _ ociregistry.Interface = (*registry)(nil)

// New makes a registry of s. Errors are those that ociregistry names, as far as there is one;
// others wrap a driver.Kind.
func New(s *blobstore.Store, o Options) ociregistry.Interface {
	o.Manifests.Delete = true
	return &registry{store: s, friend: friend.Of(s), manifests: manifests.New(s), options: o}
}

// Handler has h's uploads know what their requests tell beforehand: with the digest in the
// URL of a PUT its body goes to the blob's own key.
func Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(blobstore.WithRequest(r.Context(), r)))
	})
}

// Locations is ociserver.Options.LocationsForDescriptor for a registry with Options.Redirect.
func Locations(_ bool, desc ociregistry.Descriptor) ([]string, error) { return desc.URLs, nil }

func named(repo string) (reference.Named, error) {
	name, err := reference.WithName(repo)
	if err != nil {
		return nil, ociregistry.ErrNameInvalid
	}
	return name, nil
}

func (r *registry) blobs(repo string) (*blobstore.Repository, error) {
	name, err := named(repo)
	if err != nil {
		return nil, err
	}
	return r.store.Repository(name), nil
}

func (r *registry) manifestsOf(repo string) (*manifests.Repository, error) {
	name, err := named(repo)
	if err != nil {
		return nil, err
	}
	return r.manifests.Repository(name, r.options.Manifests), nil
}

// writable is the error of a change.
func (r *registry) writable() error {
	if r.options.ReadOnly {
		return ociregistry.ErrDenied
	}
	return nil
}

// Repositories implements ociregistry.Lister.
func (r *registry) Repositories(ctx context.Context, startAfter string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range r.store.Repositories(ctx, startAfter) {
			if !yield(name, asOCI(err)) || err != nil {
				return
			}
		}
	}
}
