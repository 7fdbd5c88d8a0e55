package survey

import (
	"encoding/hex"
	"sync"

	"github.com/opencontainers/go-digest"
)

// ID stands for a digest, in four bytes. IDs are counted from 0.
type ID uint32

// Digests are the digests that somebody has asked the ID of. They take some 70 bytes each, and
// 32 where List has them. It is safe for concurrent use, once nothing more is listed.
type Digests struct {
	listed listed // has the first IDs
	mu     sync.RWMutex
	sha256 map[[32]byte]ID
	others map[digest.Digest]ID // few registries have any
}

// ID is d's.
func (x *Digests) ID(d digest.Digest) ID {
	if id, ok := x.Find(d); ok {
		return id
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sha256 == nil {
		x.sha256, x.others = make(map[[32]byte]ID), make(map[digest.Digest]ID)
	}
	next := ID(x.listed.n + len(x.sha256) + len(x.others))
	if sum, is := sum256(d); is {
		if id, ok := x.sha256[sum]; ok {
			return id
		}
		x.sha256[sum] = next
		return next
	}
	if id, ok := x.others[d]; ok {
		return id
	}
	x.others[d] = next
	return next
}

// Find is the ID that d has, if it has one.
func (x *Digests) Find(d digest.Digest) (ID, bool) {
	sum, is := sum256(d)
	if is {
		if id, ok := x.listed.find(sum); ok {
			return id, true
		}
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if is {
		id, ok := x.sha256[sum]
		return id, ok
	}
	id, ok := x.others[d]
	return id, ok
}

func sum256(d digest.Digest) (sum [32]byte, ok bool) {
	if d.Algorithm() != digest.SHA256 {
		return sum, false
	}
	n, err := hex.Decode(sum[:], []byte(d.Encoded()))
	return sum, err == nil && n == len(sum)
}

// Set is a set of IDs, a bit for each. It is safe for concurrent use.
type Set struct {
	mu   sync.Mutex
	bits []uint64
}

// Add adds IDs.
func (s *Set) Add(ids ...ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		for int(id/64) >= len(s.bits) {
			s.bits = append(s.bits, make([]uint64, 1+len(s.bits))...)
		}
		s.bits[id/64] |= 1 << (id % 64)
	}
}

// Has reports whether id is in the set.
func (s *Set) Has(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(id/64) < len(s.bits) && s.bits[id/64]&(1<<(id%64)) != 0
}
