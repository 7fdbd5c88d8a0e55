package check

import (
	"encoding/hex"
	"iter"
	"sync"

	"github.com/opencontainers/go-digest"
)

// flag is what is known of a blob.
type flag uint8

const (
	young    flag = 1 << iota // may belong to a push under way
	linked                    // some repository has it
	wanted                    // its content is to be compared
	verified                  // its content was compared, and is right
	corrupt                   // its content was compared, and is wrong
	archived                  // its content can't be read
	encoded                   // it has a Content-Encoding
)

// blob is 16 bytes, as there may be many.
type blob struct {
	size  int64
	flags flag
}

func (b blob) is(f flag) bool { return b.flags&f != 0 }

// index is all blobs of the bucket.
type index struct {
	mu     sync.Mutex
	sha256 map[[32]byte]blob
	others map[digest.Digest]blob // few registries have any
}

func newIndex() *index {
	return &index{sha256: make(map[[32]byte]blob), others: make(map[digest.Digest]blob)}
}

func (x *index) get(d digest.Digest) (blob, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.load(d)
}

// add has d be of that size, and have those flags beside the ones it has.
func (x *index) add(d digest.Digest, size int64, f flag) {
	x.mu.Lock()
	defer x.mu.Unlock()
	b, _ := x.load(d)
	x.store(d, blob{size, b.flags | f})
}

// mark adds flags to d, if it is there.
func (x *index) mark(d digest.Digest, f flag) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if b, ok := x.load(d); ok {
		b.flags |= f
		x.store(d, b)
	}
}

func (x *index) load(d digest.Digest) (b blob, ok bool) {
	if sum, is := sum256(d); is {
		b, ok = x.sha256[sum]
	} else {
		b, ok = x.others[d]
	}
	return b, ok
}

func (x *index) store(d digest.Digest, b blob) {
	if sum, is := sum256(d); is {
		x.sha256[sum] = b
	} else {
		x.others[d] = b
	}
}

// all delivers all blobs, in no order. The index must not change meanwhile.
func (x *index) all() iter.Seq2[digest.Digest, blob] {
	return func(yield func(digest.Digest, blob) bool) {
		for sum, b := range x.sha256 {
			if !yield(digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(sum[:])), b) {
				return
			}
		}
		for d, b := range x.others {
			if !yield(d, b) {
				return
			}
		}
	}
}

func sum256(d digest.Digest) (sum [32]byte, ok bool) {
	if d.Algorithm() != digest.SHA256 {
		return sum, false
	}
	n, err := hex.Decode(sum[:], []byte(d.Encoded()))
	return sum, err == nil && n == len(sum)
}
