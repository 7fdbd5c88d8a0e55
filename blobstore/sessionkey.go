package blobstore

import (
	"path"
	"strings"
)

const (
	sessionName = "session" // an upload's session object
	dataName    = "data"    // an upload's content
)

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
