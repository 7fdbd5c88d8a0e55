package tarsum

import (
	"errors"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
)

// LayerService is the layers of all repositories. A tarsum is such as
// "tarsum.v1+sha256:220a60ecd4a3c32c282622a625a54db9ba0ff55b5ba9c29c7064a2bc358b6a3e": all methods
// return ErrLayerInvalidTarsum for what is none, and ErrLayerTarSumVersionUnsupported for one of
// an unknown version or hash.
type LayerService interface {
	// Exists reports whether the repository has the layer.
	Exists(name, tarSum string) (bool, error)
	// Fetch returns the layer, which the caller closes. ErrLayerUnknown when the repository does
	// not have it.
	Fetch(name, tarSum string) (Layer, error)
	// Upload begins an upload. ErrLayerExists when the repository has the layer. Several uploads
	// of one layer may be under way.
	Upload(name, tarSum string) (LayerUpload, error)
	// Resume goes on at the end of an upload. The tarsum is that of Upload. ErrLayerUploadUnknown
	// when there is none, or no longer.
	Resume(name, tarSum, uuid string) (LayerUpload, error)
}

// Layer is the content of a layer, as it was uploaded. It is not safe for concurrent use.
type Layer interface {
	// Seek sends no request.
	io.ReadSeekCloser
	// Name is that of the repository.
	Name() string
	// TarSum is what the layer was fetched by.
	TarSum() string
	// CreatedAt is when the content was stored.
	CreatedAt() time.Time
}

// LayerUpload is an upload under way. It is not safe for concurrent use.
type LayerUpload interface {
	// WriteCloser persists what was written when Close returns. The upload can be resumed.
	io.WriteCloser
	// UUID names the upload for Resume, as it is persisted: it changes when bytes are added. An
	// earlier one stays good.
	UUID() string
	// Name is that of the repository.
	Name() string
	// TarSum is what the layer must have.
	TarSum() string
	// Offset is how many bytes the upload has.
	Offset() int64
	// StartedAt is when the upload was begun.
	StartedAt() time.Time
	// Finish compares the size in bytes, the digest of the content as it was sent, and the tarsum,
	// publishes the layer, and returns it. A negative size is not compared. ErrLayerInvalidLength,
	// ErrLayerInvalidChecksum and ErrLayerInvalidTarsum, for the first that differs, end the upload
	// and leave nothing; but for a digest that is none or whose algorithm is not supported, which
	// is ErrLayerInvalidChecksum, too. After another error all that was persisted is there: Finish can
	// be called again, or where bytes were lost before they were persisted, the upload resumed.
	Finish(size int64, d digest.Digest) (Layer, error)
	// Cancel ends the upload.
	Cancel() error
}

var (
	// ErrLayerUnknown is returned for a layer that the repository does not have.
	ErrLayerUnknown = errors.New("unknown layer")
	// ErrLayerExists is returned by Upload for a layer that the repository has.
	ErrLayerExists = errors.New("layer exists")
	// ErrLayerTarSumVersionUnsupported is returned for a tarsum of an unknown version or hash.
	ErrLayerTarSumVersionUnsupported = errors.New("unsupported tarsum version")
	// ErrLayerUploadUnknown is returned for an UUID that names no upload, or one that has ended.
	ErrLayerUploadUnknown = errors.New("layer upload unknown")
	// ErrLayerInvalidChecksum is returned by Finish for content that has another digest.
	ErrLayerInvalidChecksum = errors.New("invalid layer checksum")
	// ErrLayerInvalidTarsum is returned by Finish for content that has another tarsum or is no
	// tar archive, and for a tarsum that is none.
	ErrLayerInvalidTarsum = errors.New("invalid layer tarsum")
	// ErrLayerInvalidLength is returned by Finish for content of another size.
	ErrLayerInvalidLength = errors.New("invalid layer length")
	// ErrLayerClosed is returned by a LayerUpload that was closed, finished or cancelled.
	ErrLayerClosed = errors.New("layer closed")
)
