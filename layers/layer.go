package layers

import (
	"io"
	"net/http"
	"time"

	"github.com/opencontainers/go-digest"
)

// LayerService is the layers of one repository.
type LayerService interface {
	// Exists reports whether the repository has the layer.
	Exists(d digest.Digest) (bool, error)
	// Fetch returns the layer, which the caller closes. ErrUnknownLayer when the repository does
	// not have it.
	Fetch(d digest.Digest) (Layer, error)
	// Upload begins an upload.
	Upload() (LayerUpload, error)
	// Resume goes on with the upload that an UUID names. The caller seeks to where it wants to go
	// on before it does. ErrLayerUploadUnknown when there is none, or no longer.
	Resume(uuid string) (LayerUpload, error)
}

// Layer is the content of a layer. It is not safe for concurrent use.
type Layer interface {
	// ReadSeekCloser returns ErrLayerClosed after Close. Seek sends no request.
	io.ReadSeekCloser
	// Name is that of the repository.
	Name() string
	// Digest is what the layer was fetched by.
	Digest() digest.Digest
	// Length is how many bytes the layer has.
	Length() int64
	// CreatedAt is when the content was stored.
	CreatedAt() time.Time
	// Handler returns what answers r: a redirect, where the store's policy has one for r, else the
	// content itself.
	Handler(r *http.Request) (http.Handler, error)
}

// LayerUpload is an upload under way. It is not safe for concurrent use.
type LayerUpload interface {
	// WriteSeeker goes on from a state of the upload, see [blobstore.Writer.Seek]. io.SeekEnd tells
	// how many bytes it has.
	io.WriteSeeker
	// ReaderFrom persists what it has taken in, also when the reader fails.
	io.ReaderFrom
	// Closer persists what was written. The upload can be resumed.
	io.Closer
	// Name is that of the repository.
	Name() string
	// UUID names the upload for Resume, as it is persisted: it changes when bytes are added. An
	// earlier one stays good; Seek goes on from there to the end.
	UUID() string
	// StartedAt is when the upload was begun.
	StartedAt() time.Time
	// Finish compares the digest, publishes the layer, and returns it. ErrLayerInvalidDigest for
	// content that has another ends the upload, and leaves nothing. After another error all that was
	// persisted is there: Finish can be called again, or where bytes were lost before they were
	// persisted, the upload resumed.
	Finish(d digest.Digest) (Layer, error)
	// Cancel ends the upload.
	Cancel() error
}
