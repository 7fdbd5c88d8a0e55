package layout

import (
	"path"
	"strings"
)

// chainPrefix begins the name of the folder that a file's chain lies in.
const chainPrefix = "_chain."

// legacySession began the names of sessions outside of upload folders, in blobdock's first
// edition.
const legacySession = "_session."

// Chain is the prefix of the objects of a file at key that is not committed.
func Chain(key string) string {
	dir, base := path.Split(key)
	return dir + chainPrefix + base + "/"
}

// IsLegacySession reports whether the first edition kept an upload's session at key.
func IsLegacySession(key string) bool { return strings.HasPrefix(path.Base(key), legacySession) }

// IsHidden reports whether listings should leave the object at key out: it belongs to a
// file that is not committed, or the first edition kept a session there.
func IsHidden(key string) bool {
	return strings.Contains(key, "/"+chainPrefix) || strings.HasPrefix(key, chainPrefix) || IsLegacySession(key)
}

// MetadataSHA256 is the metadata in which a committed file has its content's SHA-256
// digest, as hexadecimal digits, where the store keeps metadata.
const MetadataSHA256 = "blobdock-sha256"
