package upload

import (
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// state is how an upload stands after some bytes. It never changes once it is made: each
// request that adds bytes makes another one.
type state struct {
	id      id
	folder  string // where the upload's objects lie
	header  header
	object  driver.ObjectRef // zero for the state of a first id, which is no object
	written time.Time        // by the store's clock
	bodyOff int64            // where the body begins in the object
}

// header is what a state's object holds before its body.
type header struct {
	Repository string             `json:"repository"`
	Started    time.Time          `json:"started"`
	Algorithms []digest.Algorithm `json:"algorithms"`
	hashStates                    // after all bytes
	Hint       digest.Digest      `json:"hint,omitempty"`
	Offset     int64              `json:"offset"` // bytes of the upload
	Pieces     []piece            `json:"pieces,omitempty"`
	Refs       []ref              `json:"refs,omitempty"` // bytes behind the pieces, in earlier states
	Body       int64              `json:"body"`           // bytes behind those, in this object
	BodyCRC    uint32             `json:"bodyCRC"`        // CRC-32C of these
	// Ancestors are the states before this one, as far as they are worth listing: the
	// cleanup after a commit deletes them without a listing.
	Ancestors []driver.ObjectRef `json:"ancestors,omitempty"`
	// MoreAncestors tells that the cleanup has to list the folder.
	MoreAncestors bool `json:"moreAncestors,omitempty"`
}

// piece is an object that holds content and nothing else.
type piece struct {
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	ETag    string `json:"etag,omitempty"`
	Version string `json:"version,omitempty"`
}

func (p piece) object() driver.Object {
	return driver.Object{Key: p.Key, Size: p.Size, ETag: p.ETag, Version: p.Version}
}

// ref is the body of an earlier state.
type ref struct {
	Key  string `json:"key"`
	Off  int64  `json:"off"` // of the body in the object
	Size int64  `json:"size"`
	ETag string `json:"etag,omitempty"`
	CRC  uint32 `json:"crc"` // CRC-32C
}

// maxAncestors is how many of an upload's states are deleted by name after a commit.
const maxAncestors = 32

// tail is the bytes behind the pieces.
func (h *header) tail() int64 {
	n := h.Body
	for _, r := range h.Refs {
		n += r.Size
	}
	return n
}

// sum is the number of bytes that the pieces, references and body have.
func (h *header) sum() int64 {
	n := h.tail()
	for _, p := range h.Pieces {
		n += p.Size
	}
	return n
}
