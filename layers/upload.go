package layers

import (
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
)

// upload implements LayerUpload.
type upload struct {
	service *Service
	writer  *blobstore.Writer
}

var _ LayerUpload = (*upload)(nil)

func (u *upload) Name() string         { return u.service.name }
func (u *upload) UUID() string         { return u.writer.ID() }
func (u *upload) StartedAt() time.Time { return u.writer.StartedAt() }

// Write implements io.Writer.
func (u *upload) Write(p []byte) (int, error) {
	n, err := u.writer.Write(p)
	return n, asLayerError(err, "")
}

// ReadFrom implements io.ReaderFrom.
func (u *upload) ReadFrom(r io.Reader) (int64, error) {
	n, err := u.writer.ReadFrom(r)
	return n, asLayerError(err, "")
}

// Seek implements io.Seeker.
func (u *upload) Seek(offset int64, whence int) (int64, error) {
	at, err := u.writer.Seek(offset, whence)
	return at, asLayerError(err, "")
}

// Close implements io.Closer. It may be called again, also after Finish or Cancel.
func (u *upload) Close() error { return asLayerError(u.writer.Close(), "") }

// Cancel implements LayerUpload.
func (u *upload) Cancel() error { return asLayerError(u.writer.Cancel(u.service.ctx), "") }

// Finish implements LayerUpload.
func (u *upload) Finish(d digest.Digest) (Layer, error) {
	if _, err := u.writer.Commit(u.service.ctx, v1.Descriptor{Digest: d}); err != nil {
		return nil, asLayerError(err, d)
	}
	return u.service.Fetch(d)
}
