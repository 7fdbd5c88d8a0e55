package layout

import (
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
)

// Kind tells what lies at a key.
type Kind string

// The kinds of keys. A Blob's content has Name.Digest; what a link should hold
// is Name.Digest, too, but for TagLink and TarSumLink, whose digest is only in their content.
const (
	Blob      Kind = "blob"
	LayerLink Kind = "layer-link"
	// TarSumLink names the layer that has the tarsum Name.TarSum.
	TarSumLink   Kind = "tarsum-link"
	RevisionLink Kind = "revision-link"
	// SignatureLink names a blob, Name.Digest, that is a signature of a manifest, Name.Subject.
	SignatureLink Kind = "signature-link"
	TagLink       Kind = "tag-link"
	TagIndexLink  Kind = "tag-index-link"
	Referrer      Kind = "referrer" // a manifest, Name.Digest, that has a subject, Name.Subject
	Upload        Kind = "upload"   // anything in an upload's folder
)

// Name is a key, read.
type Name struct {
	Kind   Kind
	Repo   string        // "" for a Blob
	Digest digest.Digest // of a Blob and of links but TagLink and TarSumLink
	Tag    string        // of TagLink and TagIndexLink
	TarSum string        // of a TarSumLink: version, algorithm and digits, with slashes in between
	// Subject is of a Referrer and of a SignatureLink.
	Subject digest.Digest
	Dir     string // of an Upload: its folder, without a slash at its end
}

// Parse reads key. It is false for a key that has no place in the layout.
func (l Layout) Parse(key string) (Name, bool) {
	if rest, ok := strings.CutPrefix(key, l.Blobs()); ok {
		seg := strings.Split(rest, "/")
		if len(seg) != 4 || seg[3] != data {
			return Name{}, false
		}
		d, ok := digestOf(seg[0], seg[2])
		return Name{Kind: Blob, Digest: d}, ok && seg[1] == seg[2][:2]
	}
	rest, ok := strings.CutPrefix(key, l.Repositories())
	if !ok {
		return Name{}, false
	}
	// No component of a repository's name begins with "_".
	repo, own, ok := strings.Cut(rest, "/_")
	if !ok || repo == "" {
		return Name{}, false
	}
	seg := strings.Split(own, "/")
	n := Name{Repo: repo}
	switch seg[0] {
	case "layers":
		ok = n.parseLayer(seg[1:])
	case "manifests":
		ok = n.parseManifest(seg[1:])
	case "uploads":
		n.Kind = Upload
		if ok = len(seg) > 2 && uuid.Validate(seg[1]) == nil; ok {
			n.Dir = l.Upload(repo, seg[1])
		}
	default:
		ok = false
	}
	if !ok {
		return Name{}, false
	}
	return n, true
}

func (n *Name) parseLayer(seg []string) (ok bool) {
	if len(seg) == 0 || seg[0] != tarsum {
		n.Kind = LayerLink
		n.Digest, ok = linked(seg)
		return ok
	}
	n.Kind = TarSumLink
	if len(seg) != 5 || seg[4] != link {
		return false
	}
	n.TarSum = strings.Join(seg[1:4], "/")
	return path.Clean("/"+n.TarSum) == "/"+n.TarSum
}

func (n *Name) parseManifest(seg []string) (ok bool) {
	switch {
	case len(seg) == 0:
		return false
	case seg[0] == "revisions" && len(seg) > 4 && seg[3] == "signatures":
		n.Kind = SignatureLink
		var subject bool
		n.Subject, subject = digestOf(seg[1], seg[2])
		n.Digest, ok = linked(seg[4:])
		return ok && subject
	case seg[0] == "revisions":
		n.Kind = RevisionLink
		n.Digest, ok = linked(seg[1:])
		return ok
	case seg[0] == "referrers" && len(seg) > 3:
		n.Kind = Referrer
		var subject bool
		n.Subject, subject = digestOf(seg[1], seg[2])
		n.Digest, ok = linked(seg[3:])
		return ok && subject
	case seg[0] != "tags" || len(seg) < 2 || seg[1] == "":
		return false
	}
	n.Tag = seg[1]
	if slices.Equal(seg[2:], []string{"current", link}) {
		n.Kind = TagLink
		return true
	}
	if len(seg) < 3 || seg[2] != "index" {
		return false
	}
	n.Kind = TagIndexLink
	n.Digest, ok = linked(seg[3:])
	return ok
}

// linked is the digest of algorithm, hex, "link".
func linked(seg []string) (digest.Digest, bool) {
	if len(seg) != 3 || seg[2] != link {
		return "", false
	}
	return digestOf(seg[0], seg[1])
}

func digestOf(algorithm, hex string) (digest.Digest, bool) {
	d := digest.Digest(algorithm + ":" + hex)
	return d, d.Validate() == nil
}

// IsBlob reports whether a key is that of a blob's content, whatever is above.
func IsBlob(key string) bool {
	seg := strings.Split(key, "/")
	n := len(seg)
	if n < 5 || seg[n-5] != "blobs" || seg[n-1] != data {
		return false
	}
	_, ok := digestOf(seg[n-4], seg[n-2])
	return ok && seg[n-3] == seg[n-2][:2]
}

// IsFile knows the names that the layout gives to files only, whatever is above.
func IsFile(key string) bool {
	switch path.Base(key) {
	case data, link, "startedat", "session":
		return strings.Contains(key, "/")
	}
	return false
}
