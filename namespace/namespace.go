package namespace

import (
	"context"
	"errors"
	"io"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/manifests"
)

// Options tune New.
type Options struct {
	// Scope has the names that the namespace has repositories of; nil is all.
	Scope distribution.Scope
	// Manifests are the rules for manifests.
	Manifests manifests.Options
}

// Namespace implements distribution.Namespace. It is safe for concurrent use.
type Namespace struct {
	store     *blobstore.Store
	manifests *manifests.Service
	options   Options
}

var (
	_ distribution.Namespace            = (*Namespace)(nil)
	_ distribution.RepositoryEnumerator = (*Namespace)(nil)
)

// New makes the namespace of a store, which remains the caller's to close.
func New(s *blobstore.Store, o Options) *Namespace {
	if o.Scope == nil {
		o.Scope = distribution.GlobalScope
	}
	return &Namespace{s, manifests.New(s), o}
}

// Scope implements distribution.Namespace.
func (n *Namespace) Scope() distribution.Scope { return n.options.Scope }

// errScope is why a name is refused that is none of the scope's.
var errScope = errors.New("it is not in the scope of this namespace")

// Repository implements distribution.Namespace. Nothing is asked of the store: a repository is there
// once something was pushed to it. distribution.ErrRepositoryNameInvalid for a name out of scope.
// What it returns is a [*Repository].
func (n *Namespace) Repository(_ context.Context, name reference.Named) (distribution.Repository, error) {
	r, err := n.Open(name)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Open is Repository with a concrete type.
func (n *Namespace) Open(name reference.Named) (*Repository, error) {
	if !n.options.Scope.Contains(name.Name()) {
		return nil, distribution.ErrRepositoryNameInvalid{Name: name.Name(), Reason: errScope}
	}
	return &Repository{n, name, n.manifests.Repository(name, n.options.Manifests)}, nil
}

// Repositories implements distribution.Namespace: it fills repos with the names after last of the
// repositories that have a manifest, and says io.EOF when there are no more.
func (n *Namespace) Repositories(ctx context.Context, repos []string, last string) (int, error) {
	if len(repos) == 0 {
		return 0, errors.New("asked for no repositories")
	}
	found := 0
	for name, err := range n.store.Repositories(ctx, last) {
		if err != nil {
			return found, err
		}
		if !n.options.Scope.Contains(name) {
			continue
		}
		repos[found] = name
		if found++; found == len(repos) {
			return found, nil
		}
	}
	return found, io.EOF
}

// Enumerate implements distribution.RepositoryEnumerator.
func (n *Namespace) Enumerate(ctx context.Context, ingester func(string) error) error {
	for name, err := range n.store.Repositories(ctx, "") {
		if err == nil && n.options.Scope.Contains(name) {
			err = ingester(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Blobs implements distribution.Namespace: all blobs of the store, of other scopes, too.
func (n *Namespace) Blobs() distribution.BlobEnumerator { return n.store }

// BlobStatter implements distribution.Namespace.
func (n *Namespace) BlobStatter() distribution.BlobStatter { return n.store }
