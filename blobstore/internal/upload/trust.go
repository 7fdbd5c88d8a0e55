package upload

import (
	"encoding/hex"
	"hash/crc32"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// content is what is known of the bytes that belong at a digest's key.
type content struct {
	size   int64
	sha256 digest.Digest // "" when unknown
	crc32c *uint32       // nil when unknown
}

// contentOf is the Writer's, all of whose bytes are hashed.
func (w *Writer) contentOf() content {
	sum, _ := w.hash.hashes.digest(digest.SHA256)
	return content{w.size, sum, w.hash.hashes.crc32c}
}

// announced is the content of a digest that nobody has hashed yet.
func announced(d digest.Digest, size int64) content {
	if d.Algorithm() != digest.SHA256 {
		d = ""
	}
	return content{size: size, sha256: d}
}

// contentIn is p's, which has the SHA-256 digest sum.
func contentIn(p []byte, sum digest.Digest) content {
	return content{int64(len(p)), sum, new(crc32.Checksum(p, castagnoli))}
}

// trusts reports whether an object that is there is taken for the content: its size is the
// same, and each checksum that the store reports and that is known. An object with a
// Content-Encoding is replaced: clients of the store itself may be given its bytes unpacked.
func (c content) trusts(obj driver.Object) bool {
	crc, sum := obj.Checksums.CRC32C, obj.Checksums.SHA256
	switch {
	case obj.Size != c.size, obj.ContentEncoding != "":
		return false
	case crc != nil && c.crc32c != nil && *crc != *c.crc32c:
		return false
	case sum != nil && c.sha256 != "" && hex.EncodeToString(sum) != c.sha256.Encoded():
		return false
	}
	return true
}

// distrusted remembers blobs with the right size and a wrong checksum. A body whose digest
// is there is hashed and not sent, so that the checksum of the body is known too late: it
// has to come again, and must be sent then.
type distrusted struct {
	mu    sync.Mutex
	etags map[string]string // by key
}

// maxDistrusted bounds the blobs that are remembered. One that is forgotten costs the
// client a repetition more.
const maxDistrusted = 1024

func (d *distrusted) add(obj driver.Object) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.etags == nil {
		d.etags = make(map[string]string)
	}
	for key := range d.etags {
		if len(d.etags) < maxDistrusted {
			break
		}
		delete(d.etags, key)
	}
	d.etags[obj.Key] = obj.ETag
}

func (d *distrusted) has(obj driver.Object) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	etag, ok := d.etags[obj.Key]
	return ok && etag == obj.ETag
}
