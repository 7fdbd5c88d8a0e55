package survey

import (
	"bytes"
	"sort"

	"github.com/opencontainers/go-digest"
)

// List is ID for the digests of a listing of blobs, before anything else is done with x. Listings
// are ordered by key, and digests that come in order take 32 bytes each. Where a store has another
// order, List is ID and nothing more.
func (x *Digests) List(d digest.Digest) ID {
	if sum, is := sum256(d); is && len(x.sha256)+len(x.others) == 0 {
		if id, ok := x.listed.append(sum); ok {
			return id
		}
	}
	return x.ID(d)
}

// chunk is how many digests are allocated at a time: a slice that grows would be in memory twice.
const chunk = 1 << 12

// listed is an ordered list of SHA-256 digests.
type listed struct {
	chunks [][][32]byte
	n      int
}

// append adds sum, if it comes behind all others.
func (l *listed) append(sum [32]byte) (ID, bool) {
	if l.n > 0 {
		if last := l.at(l.n - 1); bytes.Compare(last[:], sum[:]) >= 0 {
			return 0, false
		}
	}
	if l.n%chunk == 0 {
		l.chunks = append(l.chunks, make([][32]byte, chunk))
	}
	l.n++
	*l.at(l.n - 1) = sum
	return ID(l.n - 1), true
}

func (l *listed) at(i int) *[32]byte { return &l.chunks[i/chunk][i%chunk] }

func (l *listed) find(sum [32]byte) (ID, bool) {
	i, ok := sort.Find(l.n, func(i int) int { return bytes.Compare(sum[:], l.at(i)[:]) })
	return ID(i), ok
}
