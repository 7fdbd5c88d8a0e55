package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// Kind names what was found. Names are kept: programs may rely on them.
type Kind string

// Damage.
const (
	BlobEmpty         Kind = "blob-empty"
	BlobDigest        Kind = "blob-digest"
	BlobArchived      Kind = "blob-archived"
	BlobStray         Kind = "blob-stray"
	LinkMalformed     Kind = "link-malformed"
	LinkMismatch      Kind = "link-mismatch"
	ManifestMissing   Kind = "manifest-missing"
	ManifestMalformed Kind = "manifest-malformed"
	ReferenceBroken   Kind = "reference-broken"
	ReferenceSize     Kind = "reference-size"
	ReferenceUnlinked Kind = "reference-unlinked"
	ChildMissing      Kind = "child-missing"
	ChildUnlinked     Kind = "child-unlinked"
	TagMissing        Kind = "tag-missing"
	TagUnlinked       Kind = "tag-unlinked"
	TagUnindexed      Kind = "tag-unindexed"
	TagIncomplete     Kind = "tag-incomplete"
	RepositoryName    Kind = "repository-name"
)

// Notices: what is worth knowing and breaks no pull.
const (
	ManifestSchema1 Kind = "manifest-schema1"
	LayerDangling   Kind = "layer-dangling"
	TarSumDangling  Kind = "tarsum-dangling"
	BlobOrphan      Kind = "blob-orphan"
	BlobEncoded     Kind = "blob-encoded"
	UploadAbandoned Kind = "upload-abandoned"
	KeyUnknown      Kind = "key-unknown"
)

type about struct {
	kind               Kind
	damage, repairable bool
	text               string
}

var kinds = []about{
	{BlobEmpty, true, false, "a blob of zero bytes, under the digest of something else"},
	{BlobDigest, true, false, "the content of a blob has another digest"},
	{BlobArchived, true, false, "a blob is in an archive, from which it must be restored before it can be read"},
	{BlobStray, true, false, "a key below blobs/ at which distribution's garbage collection stops"},
	{LinkMalformed, true, true, "a link that holds no digest"},
	{LinkMismatch, true, true, "a link that holds another digest than its key says"},
	{ManifestMissing, true, false, "a repository has a manifest that is not in the bucket"},
	{ManifestMalformed, true, false, "a manifest that can't be read as one"},
	{ReferenceBroken, true, false, "what a manifest refers to is missing, empty, corrupt or archived"},
	{ReferenceSize, true, false, "what a manifest refers to has another size than the manifest says"},
	{ReferenceUnlinked, true, true, "what a manifest refers to is in the bucket, and not in the repository"},
	{ChildMissing, true, false, "an index refers to a manifest that is not in the bucket"},
	{ChildUnlinked, true, true, "an index refers to a manifest that is in the bucket, and not in the repository"},
	{TagMissing, true, false, "a tag names a manifest that is not in the bucket"},
	{TagUnlinked, true, true, "a tag names a manifest that is in the bucket, and not in the repository"},
	{TagUnindexed, true, true, "a tag's history lacks the manifest that it names"},
	{TagIncomplete, true, false, "a tag that has a history and names no manifest"},
	{RepositoryName, true, false, "a repository by a name that can't be asked for, at which garbage collection stops"},
	{ManifestSchema1, false, false, "a manifest of Docker's schema 1, which distribution v3 does not serve, and at which its garbage collection stops"},
	{LayerDangling, false, false, "a link to a blob that is gone and that no manifest needs; garbage collection before v3 left them"},
	{TarSumDangling, false, false, "a tarsum whose layer the repository does not have any more; remove the object"},
	{BlobOrphan, false, false, "a blob that no repository has; garbage collection removes it"},
	{BlobEncoded, false, false, "a blob with a Content-Encoding, which is streamed as stores and clients would unpack it; pushed again it has none"},
	{UploadAbandoned, false, false, "an upload not touched for a day; blobdock sweep removes it"},
	{KeyUnknown, false, false, "a key that has no place in a registry"},
}

// Kinds are all kinds, in a fixed order.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i, k := range kinds {
		all[i] = k.kind
	}
	return all
}

// Repairable are the kinds that may be repaired.
func Repairable() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !k.about().repairable })
}

// Damage reports whether k breaks something. What does not is a notice.
func (k Kind) Damage() bool { return k.about().damage }

// About says in a few words what k is.
func (k Kind) About() string { return k.about().text }

func (k Kind) about() about {
	i := slices.IndexFunc(kinds, func(a about) bool { return a.kind == k })
	if i < 0 {
		return about{}
	}
	return kinds[i]
}

// known returns an Invalid error for a kind that is not in allowed.
func known(what string, given, allowed []Kind) error {
	for _, k := range given {
		if !slices.Contains(allowed, k) {
			return fmt.Errorf("%s %q: want one of %s: %w", what, k, join(allowed), driver.Invalid)
		}
	}
	return nil
}

func join(kinds []Kind) string {
	text := make([]string, len(kinds))
	for i, k := range kinds {
		text[i] = string(k)
	}
	return strings.Join(text, ", ")
}

// Finding is one thing that was found.
type Finding struct {
	Kind       Kind
	Key        string        // where in the bucket; of what is missing, where it should be
	Repository string        // "" for what concerns no single one
	Digest     digest.Digest // of the blob, or that the link is for
	Manifest   digest.Digest // that refers to Digest
	Tags       []string      // the tag it is about, or those that name the manifest; in order
	Detail     string
	Repair     string // the key of the link that repairs it; "" where nothing does
	Repaired   bool
}
