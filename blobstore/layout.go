package blobstore

import (
	"fmt"
	"path"
	"strings"

	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
)

// DefaultRoot is where distribution keeps a registry below the bucket's prefix.
const DefaultRoot = "docker/registry/v2"

const (
	sessionName = "session" // an upload's session object
	dataName    = "data"    // an upload's content, and a blob's
	linkName    = "link"
)

// layout maps names to keys: distribution's bucket layout.
type layout struct{ root string }

func (l layout) blobs() string        { return l.root + "/blobs/" }
func (l layout) repositories() string { return l.root + "/repositories/" }

func (l layout) blob(d digest.Digest) string {
	hex := d.Encoded()
	return fmt.Sprintf("%s%s/%s/%s/%s", l.blobs(), d.Algorithm(), hex[:2], hex, dataName)
}

// blobDigest is the inverse of blob.
func (l layout) blobDigest(key string) (digest.Digest, bool) {
	rest, ok := strings.CutPrefix(key, l.blobs())
	if !ok {
		return "", false
	}
	seg := strings.Split(rest, "/")
	if len(seg) != 4 || seg[3] != dataName {
		return "", false
	}
	d := digest.Digest(seg[0] + ":" + seg[2])
	return d, d.Validate() == nil && seg[1] == seg[2][:2]
}

func (l layout) layers(repo string) string {
	return l.repositories() + repo + "/_layers/"
}

func (l layout) layerLink(repo string, d digest.Digest) string {
	return fmt.Sprintf("%s%s/%s/%s", l.layers(repo), d.Algorithm(), d.Encoded(), linkName)
}

// layerDigest is the inverse of layerLink.
func (l layout) layerDigest(repo, key string) (digest.Digest, bool) {
	rest, ok := strings.CutPrefix(key, l.layers(repo))
	if !ok {
		return "", false
	}
	seg := strings.Split(rest, "/")
	if len(seg) != 3 || seg[2] != linkName {
		return "", false
	}
	d := digest.Digest(seg[0] + ":" + seg[1])
	return d, d.Validate() == nil
}

// uploadDir is the folder of one upload, without a slash at its end.
func (l layout) uploadDir(repo, id string) string {
	return l.repositories() + repo + "/_uploads/" + id
}

// uploadDirOf finds the upload that key belongs to.
func (l layout) uploadDirOf(key string) (dir string, ok bool) {
	if !strings.HasPrefix(key, l.repositories()) {
		return "", false
	}
	before, after, ok := strings.Cut(key, "/_uploads/")
	if !ok {
		return "", false
	}
	id, _, _ := strings.Cut(after, "/")
	if uuid.Validate(id) != nil {
		return "", false
	}
	return before + "/_uploads/" + id, true
}

// SessionOf is the key of the session object for an upload to key. In an
// upload's folder it is the folder's; elsewhere a hidden neighbour of key.
func SessionOf(key string) string {
	dir, base := path.Split(key)
	if base == dataName && path.Base(path.Dir(path.Clean(dir))) == "_uploads" {
		return dir + sessionName
	}
	return dir + hiddenPrefix + base
}

// hiddenPrefix begins the name of a session outside of an upload's folder.
const hiddenPrefix = "_session."

// IsHidden reports whether key is a session that listings should not show.
func IsHidden(key string) bool {
	return strings.HasPrefix(path.Base(key), hiddenPrefix)
}

// IsSession reports whether key may be that of a session object.
func IsSession(key string) bool {
	return IsHidden(key) || (path.Base(key) == sessionName && path.Base(path.Dir(path.Dir(key))) == "_uploads")
}
