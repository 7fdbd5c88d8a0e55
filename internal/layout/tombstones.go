package layout

import (
	"strings"

	"github.com/opencontainers/go-digest"
)

// AllTombstones is the prefix of all tombstones, beside all that distribution lists.
func (l Layout) AllTombstones() string { return l.Root + "/_gc/" }

// Tombstones is the prefix of those of objects whose key has the digest d.
func (l Layout) Tombstones(d digest.Digest) string {
	return l.AllTombstones() + d.Algorithm().String() + "/" + d.Encoded() + "/"
}

// TombstoneOf is the digest that a tombstone's key has.
func (l Layout) TombstoneOf(key string) (digest.Digest, bool) {
	rest, ok := strings.CutPrefix(key, l.AllTombstones())
	seg := strings.Split(rest, "/")
	if !ok || len(seg) != 3 || seg[2] == "" {
		return "", false
	}
	return digestOf(seg[0], seg[1])
}
