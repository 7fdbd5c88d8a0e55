package driver

import (
	"fmt"
	"io"
	"time"
)

// Object describes a stored object.
type Object struct {
	Key  string
	Size int64 // bytes
	// ETag is the store's opaque token for this version of the object (an S3 or
	// Azure ETag, a GCS generation). It changes with every write that changes the
	// bytes; S3 gives the same bytes the same ETag again.
	ETag string
	// Version names this version of the object among all that the key ever had: an
	// S3 VersionId, a GCS generation, an Azure ETag. "" where the store tells none: in
	// an S3 bucket without versions, whose ETags repeat with the bytes.
	Version     string
	ModTime     time.Time
	ContentType string
	Metadata    map[string]string // keys in lower case
	// DeleteFirst reports that the store takes no parts for the key while this object is
	// there (an Azure append or page blob): parts and the completion of an upload are
	// Exists. Put and Copy replace the object, but not atomically. Set by Stat alone.
	DeleteFirst bool
	// ContentEncoding is "" for all that this module writes. Another tool may have stored an
	// object with gzip (GCS then unpacks it for readers that don't ask for gzip). Open returns
	// the bytes as they are stored all the same. Stat and Open tell it, and listings of GCS and Azure.
	ContentEncoding string
	// Checksums is set by Features.StatChecksums alone.
	Checksums Checksums
}

// Checksums are those of an object's whole content that the store keeps. Which they are
// depends on the store, and on how the object was written.
type Checksums struct {
	CRC32C *uint32 // by Castagnoli's polynomial; nil where the store reports none
	SHA256 []byte  // 32 bytes; nil where the store reports none
}

// Range selects bytes of an object. The zero Range is all of it.
type Range struct {
	Off int64 // first byte, >= 0
	Len int64 // number of bytes; 0 is "to the end". Shorter where the object ends.
}

// Resolve fits r to an object of the given size: the offset and length that a
// read delivers. OutOfRange when r starts beyond the end, Invalid when negative.
func (r Range) Resolve(size int64) (Range, error) {
	switch {
	case r.Off < 0 || r.Len < 0:
		return Range{}, fmt.Errorf("range %d+%d: offset and length must not be negative: %w", r.Off, r.Len, Invalid)
	case r.Off > size:
		return Range{}, fmt.Errorf("range starts at %d, the object has %d bytes: %w", r.Off, size, OutOfRange)
	}
	rest := size - r.Off
	if r.Len == 0 || r.Len > rest {
		r.Len = rest
	}
	return r, nil
}

// Within is Invalid unless r has a length and lies within an object of the given size.
func (r Range) Within(size int64) error {
	if r.Off < 0 || r.Len < 1 || r.Off > size-r.Len {
		return fmt.Errorf("range %d+%d: want bytes of the %d that there are: %w", r.Off, r.Len, size, Invalid)
	}
	return nil
}

// ReadOptions qualify Open. The zero value reads whatever is there.
type ReadOptions struct {
	// IfMatch, when not empty, is the ETag that the object must still have;
	// otherwise the read fails with Mismatch.
	IfMatch string
}

// Reader delivers exactly the bytes of Range and then io.EOF. A body that ends
// early is io.ErrUnexpectedEOF or the transport's own error.
type Reader struct {
	io.ReadCloser
	// Object is the whole object, whatever part of it is read.
	Object Object
	// Range is what this reader delivers, resolved against the object's size.
	Range Range
}

// WriteOptions qualify a write. The zero value overwrites unconditionally.
type WriteOptions struct {
	Cond        Cond
	ContentType string
	Metadata    map[string]string // keys in lower case, letters, digits and "-"
	// Use tells the drivers whose configuration names a storage class or tier which
	// objects have it. All others have the store's standard class: small objects, and
	// objects that live for seconds, cost more in any other.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
	Use Use
	// SHA256, when it has 32 bytes, is the content's digest, known beforehand. A
	// store that can verify it refuses other content with Corrupt; a driver whose
	// store can't, verifies before it sends. Only for Put.
	SHA256 []byte
}

// Use is what an object is for.
type Use uint8

const (
	UseOther Use = iota // states, links, leases and the like
	// UsePiece is for bytes that become part of a blob. Google Cloud Storage joins only
	// objects of the blob's own class, so that there they have it, too.
	UsePiece
	UseBlob
)

// DeleteOptions qualify Delete. The zero value deletes whatever is there.
type DeleteOptions struct {
	// IfVersion, when not empty, is the only version that is deleted: an
	// Object.Version, or an ETag where the store told no version. Another version at
	// the key is Mismatch, and nothing is deleted. A versioned S3 bucket deletes the
	// named version for good, also if it is not the current one any more.
	IfVersion string
	// NotAfter, when not zero, is the time on the store's clock after which the store
	// no longer executes the request, however late the request arrives. Drivers round
	// it down to whole seconds.
	NotAfter time.Time
}

// ObjectRef names an object for DeleteAll, and the version of it that is meant.
type ObjectRef struct {
	Key     string
	Version string // an Object.Version; "" is whatever is there
}

// Cond is a condition on what is at the key at the moment of a write. At most
// one of its fields is set.
type Cond struct {
	IfAbsent bool   // nothing may be there, or the write fails with Exists
	IfMatch  string // the ETag that must be there, or the write fails with Mismatch
}

// IsZero reports whether the write is unconditional.
func (c Cond) IsZero() bool { return c == Cond{} }

// Upload identifies an upload in parts.
type Upload struct {
	Key     string
	ID      string
	Started time.Time // zero when the store does not tell
}

// Part is one stored part of an upload.
type Part struct {
	Number int
	Size   int64 // bytes
	ETag   string
}
