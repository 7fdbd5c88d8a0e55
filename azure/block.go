package azure

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// A block's id says which part of which upload it is, and which of the writers
// that sent this part. All ids of a blob must have one length, of at most 64
// bytes before base64.
// https://learn.microsoft.com/en-us/rest/api/storageservices/put-block
const (
	uploadBytes = 16
	numberBytes = 4
	writerBytes = 12
)

// upload is what an Upload's ID holds: a random name, and what the object is to
// have, as that is told only with its completion.
type upload struct {
	name  [uploadBytes]byte
	attrs attrs
}

type attrs struct {
	ContentType string            `json:"t,omitempty"`
	Metadata    map[string]string `json:"m,omitempty"`
	Use         driver.Use        `json:"u,omitempty"`
}

// uncommitted is the ID of what UploadsPage finds: a listing tells that there are
// parts at a key, and not of which upload. Such an Upload can only be aborted.
const uncommitted = "uncommitted"

// emptyPart is the ETag of parts without bytes: Azure has no such blocks.
const emptyPart = `"empty"`

var idText = base64.RawURLEncoding

func newUpload(o driver.WriteOptions) upload {
	u := upload{attrs: attrs{o.ContentType, o.Metadata, o.Use}}
	_, _ = rand.Read(u.name[:]) // never fails
	return u
}

func (u upload) id() string {
	id := idText.EncodeToString(u.name[:])
	if u.attrs.ContentType == "" && len(u.attrs.Metadata) == 0 && u.attrs.Use == driver.UseOther {
		return id
	}
	text, _ := json.Marshal(u.attrs) // strings only
	return id + "." + idText.EncodeToString(text)
}

func parseUpload(id string) (u upload, err error) {
	bad := fmt.Errorf("upload id %q is not one of this store's: %w", id, driver.NotFound)
	name, rest, more := strings.Cut(id, ".")
	raw, err := idText.DecodeString(name)
	if err != nil || len(raw) != uploadBytes {
		return u, bad
	}
	copy(u.name[:], raw)
	if !more {
		return u, nil
	}
	text, err := idText.DecodeString(rest)
	if err != nil || json.Unmarshal(text, &u.attrs) != nil {
		return u, bad
	}
	return u, nil
}

// newBlock names a block for part n that nobody else will name.
func (u upload) newBlock(n int) (id, etag string) {
	var writer [writerBytes]byte
	_, _ = rand.Read(writer[:])
	return u.block(n, writer[:]), `"` + hex.EncodeToString(writer[:]) + `"`
}

// blockOf is the block that a part's ETag names; ok is false for a foreign one.
func (u upload) blockOf(p driver.Part) (id string, ok bool) {
	writer, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
	if err != nil || len(writer) != writerBytes {
		return "", false
	}
	return u.block(p.Number, writer), true
}

func (u upload) block(n int, writer []byte) string {
	raw := binary.BigEndian.AppendUint32(u.name[:], uint32(n))
	return base64.StdEncoding.EncodeToString(append(raw, writer...))
}

// owns tells whether a block belongs to u.
func (u upload) owns(id string) bool {
	raw, err := base64.StdEncoding.DecodeString(id)
	return err == nil && len(raw) == uploadBytes+numberBytes+writerBytes && string(raw[:uploadBytes]) == string(u.name[:])
}
