// Package layout maps a registry's names to keys and back: CNCF distribution's
// bucket layout, below a root.
//
//	blobs/<algorithm>/<2 hex>/<hex>/data
//	repositories/<name>/_layers/<algorithm>/<hex>/link
//	repositories/<name>/_layers/tarsum/<version>/<algorithm>/<hex>/link
//	repositories/<name>/_manifests/revisions/<algorithm>/<hex>/link
//	repositories/<name>/_manifests/revisions/<algorithm>/<hex>/signatures/<algorithm>/<hex>/link
//	repositories/<name>/_manifests/tags/<tag>/current/link
//	repositories/<name>/_manifests/tags/<tag>/index/<algorithm>/<hex>/link
//	repositories/<name>/_uploads/<uuid>/...
//	repositories/<name>/_manifests/referrers/<algorithm>/<hex>/<algorithm>/<hex>/link
//	_uploads/<uuid>-<hash of the repository's name>/...
//
// The last two lines are blobdock's own.
//
// A link holds a digest as text and nothing else.
package layout

import (
	"path"

	"github.com/opencontainers/go-digest"
)

// DefaultRoot is where distribution keeps a registry below the bucket's prefix.
const DefaultRoot = "docker/registry/v2"

// MaxLink is more bytes than a link has: than the longest digest.
const MaxLink = 1 << 10

const (
	data   = "data"
	link   = "link"
	tarsum = "tarsum"
)

// Layout is the keys below Root, which has no slash at its end.
type Layout struct{ Root string }

// Blobs is the prefix of all blobs.
func (l Layout) Blobs() string { return l.Root + "/blobs/" }

// Repositories is the prefix of everything that belongs to repositories.
func (l Layout) Repositories() string { return l.Root + "/repositories/" }

// Repository is the prefix of repo's own keys, and of repositories below it.
func (l Layout) Repository(repo string) string { return l.Repositories() + repo + "/" }

// Lease is where those that have a turn at something say so, beside all that
// distribution lists.
func (l Layout) Lease(name string) string { return l.Root + "/_leases/" + name }

// Pulls is the prefix of what registries have recorded of pulls, beside all that distribution
// lists.
func (l Layout) Pulls() string { return l.Root + "/_pulls/" }

// Uploads is the prefix of all uploads under way, beside all that distribution lists.
func (l Layout) Uploads() string { return l.Root + "/_uploads/" }

// Blob is where d's content is.
func (l Layout) Blob(d digest.Digest) string {
	return l.Blobs() + path.Join(d.Algorithm().String(), d.Encoded()[:2], d.Encoded(), data)
}

// Layers is the prefix of repo's links to blobs.
func (l Layout) Layers(repo string) string { return l.Repository(repo) + "_layers/" }

// LayerLink makes d a blob of repo.
func (l Layout) LayerLink(repo string, d digest.Digest) string {
	return l.Layers(repo) + digestLink(d)
}

// TarSumLink says which layer of repo has a tarsum: its version "v0", "v1" or "dev", its algorithm
// and its hexadecimal digits, with slashes in between.
func (l Layout) TarSumLink(repo, tarSum string) string {
	return l.Layers(repo) + path.Join(tarsum, tarSum, link)
}

// Manifests is the prefix of repo's links to manifests, and of its tags.
func (l Layout) Manifests(repo string) string { return l.Repository(repo) + "_manifests/" }

// RevisionLink makes d a manifest of repo.
func (l Layout) RevisionLink(repo string, d digest.Digest) string {
	return l.Revisions(repo) + digestLink(d)
}

// Revisions is the prefix of repo's links to manifests.
func (l Layout) Revisions(repo string) string { return l.Manifests(repo) + "revisions/" }

// Signatures is the prefix of the links to the signatures of the manifest d, as Docker's first
// schema of manifests had them.
func (l Layout) Signatures(repo string, d digest.Digest) string {
	return l.Revisions(repo) + path.Join(d.Algorithm().String(), d.Encoded()) + "/signatures/"
}

// SignatureLink says that the blob d is a signature of the manifest subject.
func (l Layout) SignatureLink(repo string, subject, d digest.Digest) string {
	return l.Signatures(repo, subject) + digestLink(d)
}

// Referrers is the prefix of the links to manifests whose subject is the manifest subject.
func (l Layout) Referrers(repo string, subject digest.Digest) string {
	return l.Manifests(repo) + "referrers/" + path.Join(subject.Algorithm().String(), subject.Encoded()) + "/"
}

// Referrer says that the manifest d has this subject.
func (l Layout) Referrer(repo string, subject, d digest.Digest) string {
	return l.Referrers(repo, subject) + digestLink(d)
}

// Tags is the prefix of repo's tags.
func (l Layout) Tags(repo string) string { return l.Manifests(repo) + "tags/" }

// Tag is the prefix of all that belongs to a tag.
func (l Layout) Tag(repo, tag string) string { return l.Tags(repo) + tag + "/" }

// TagLink says which manifest the tag is.
func (l Layout) TagLink(repo, tag string) string {
	return l.Tag(repo, tag) + "current/" + link
}

// TagIndexLink says that the tag is, or once was, the manifest d.
func (l Layout) TagIndexLink(repo, tag string, d digest.Digest) string {
	return l.Tag(repo, tag) + "index/" + digestLink(d)
}

// Upload is the folder of one upload, without a slash at its end.
func (l Layout) Upload(repo, id string) string { return l.Repository(repo) + "_uploads/" + id }

func digestLink(d digest.Digest) string {
	return path.Join(d.Algorithm().String(), d.Encoded(), link)
}
