package upload

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"fmt"
	"hash"
	"hash/crc32"
	"slices"

	"github.com/opencontainers/go-digest"
)

// newHash makes the hash of a supported algorithm: those that the OCI image
// specification registers.
func newHash(a digest.Algorithm) hash.Hash {
	switch a {
	case digest.SHA256:
		return sha256.New()
	case digest.SHA512:
		return sha512.New()
	default:
		return nil
	}
}

// Supported reports whether blobs are kept by digests of an algorithm.
func Supported(a digest.Algorithm) bool { return newHash(a) != nil }

// hashState is a hash that was interrupted.
type hashState struct {
	Algorithm digest.Algorithm
	State     []byte // of the standard library's encoding.BinaryMarshaler
}

// hashStates are an upload's hashes after some bytes.
type hashStates struct {
	Hashes []hashState `json:"hashes,omitempty"`
	CRC32C *uint32     `json:"crc32c,omitempty"` // nil where it was not computed
}

// hashes computes an upload's digests as its bytes pass.
type hashes struct {
	running []runningHash
	// crc32c is compared with what a store reports of a blob that is there. nil when it is
	// not computed.
	crc32c *uint32
}

type runningHash struct {
	algorithm digest.Algorithm
	hash.Hash
}

// newHashes begins at the first byte.
func newHashes(algs ...digest.Algorithm) *hashes {
	hs := new(hashes)
	for _, a := range algs {
		hs.running = append(hs.running, runningHash{a, newHash(a)})
	}
	return hs
}

// withCRC32C computes a CRC-32C too. It begins at the first byte.
func (hs *hashes) withCRC32C() *hashes {
	hs.crc32c = new(uint32)
	return hs
}

// resumeHashes continues where states were taken.
func resumeHashes(states hashStates) (*hashes, error) {
	hs := new(hashes)
	if states.CRC32C != nil {
		hs.crc32c = new(*states.CRC32C)
	}
	for _, st := range states.Hashes {
		h := newHash(st.Algorithm)
		if h == nil {
			return nil, fmt.Errorf("hash state of algorithm %q: %w", st.Algorithm, ErrBadState)
		}
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(st.State); err != nil {
			return nil, fmt.Errorf("hash state of %s: %w: %w", st.Algorithm, ErrBadState, err)
		}
		hs.running = append(hs.running, runningHash{st.Algorithm, h})
	}
	return hs, nil
}

// Write never fails.
func (hs *hashes) Write(p []byte) (int, error) {
	for _, r := range hs.running {
		r.Write(p)
	}
	if hs.crc32c != nil {
		*hs.crc32c = crc32.Update(*hs.crc32c, castagnoli, p)
	}
	return len(p), nil
}

// digest is that of all bytes so far; ok is false when a was not asked for.
func (hs *hashes) digest(a digest.Algorithm) (d digest.Digest, ok bool) {
	i := slices.IndexFunc(hs.running, func(r runningHash) bool { return r.algorithm == a })
	if i < 0 {
		return "", false
	}
	return digest.NewDigest(a, hs.running[i].Hash), true
}

func (hs *hashes) states() (states hashStates, err error) {
	if hs.crc32c != nil {
		states.CRC32C = new(*hs.crc32c)
	}
	for _, r := range hs.running {
		b, err := r.Hash.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return hashStates{}, fmt.Errorf("hash state of %s: %w", r.algorithm, err)
		}
		states.Hashes = append(states.Hashes, hashState{r.algorithm, b})
	}
	return states, nil
}

func (hs *hashes) tracks(a digest.Algorithm) bool {
	return slices.ContainsFunc(hs.running, func(r runningHash) bool { return r.algorithm == a })
}

func (hs *hashes) algorithms() []digest.Algorithm {
	algs := make([]digest.Algorithm, len(hs.running))
	for i, r := range hs.running {
		algs[i] = r.algorithm
	}
	return algs
}
