// Package namespace is a registry's store by the interfaces that distribution's own registry has
// inside: Namespace, Scope, Repository and what a repository has. It needs neither distribution's
// application nor its configuration:
//
//	store, err := blobstore.New(bucket, blobstore.Options{})
//	...
//	registry := namespace.New(store, namespace.Options{})
//	repo, err := registry.Repository(ctx, name)
//	...
//	manifests, err := repo.Manifests(ctx)
//
// A manifest gets its tag by Tags, as in distribution's registry: distribution.WithTag, an option of
// Put, has the tag's history written with the manifest and promises that Tag follows.
//
// Beside distribution's services a [Repository] has those of earlier registries, and a
// BlobDescriptorService, by which a blob is found under more than one digest.
package namespace
