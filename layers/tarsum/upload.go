package tarsum

import (
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// layer implements Layer.
type layer struct {
	io.ReadSeekCloser
	named *named
	blob  *blobstore.Blob
}

var _ Layer = (*layer)(nil)

func (l *layer) Name() string         { return l.named.name }
func (l *layer) TarSum() string       { return l.named.String() }
func (l *layer) CreatedAt() time.Time { return l.blob.ModTime() }

// upload implements LayerUpload, and io.ReaderFrom: what a body has brought is persisted when
// ReadFrom returns, also when the body fails.
//
// The tarsum is computed at Finish, of the stored bytes, as they stream by once more. Where a
// decompressor and a reader of archives are in the midst of a stream can't be stored, so that an
// upload that was resumed has to be read again in any case; reading each one is the only path.
type upload struct {
	named     *named
	writer    *blobstore.Writer
	committed bool // the blob is published; its tarsum's link may be missing yet
	digest    digest.Digest
}

var (
	_ LayerUpload   = (*upload)(nil)
	_ io.ReaderFrom = (*upload)(nil)
)

func (n *named) upload(w *blobstore.Writer) *upload {
	w.Inspect(n.compare)
	return &upload{named: n, writer: w}
}

// compare compares the tarsum of content.
func (n *named) compare(content io.Reader) error {
	got, err := Compute(content, n.version)
	if err == nil && got != n.String() {
		err = fmt.Errorf("%w: content has %s, not %s", ErrLayerInvalidTarsum, got, n)
	}
	return err
}

func (u *upload) UUID() string         { return u.writer.ID() }
func (u *upload) StartedAt() time.Time { return u.writer.StartedAt() }
func (u *upload) Name() string         { return u.named.name }
func (u *upload) TarSum() string       { return u.named.String() }
func (u *upload) Offset() int64        { return u.writer.Size() }
func (u *upload) Close() error         { return asLayerError(u.writer.Close()) }
func (u *upload) Cancel() error        { return asLayerError(u.writer.Cancel(u.named.ctx)) }

// Write implements io.Writer.
func (u *upload) Write(p []byte) (int, error) {
	n, err := u.writer.Write(p)
	return n, asLayerError(err)
}

// ReadFrom implements io.ReaderFrom.
func (u *upload) ReadFrom(r io.Reader) (int64, error) {
	n, err := u.writer.ReadFrom(r)
	return n, asLayerError(err)
}

// Finish implements LayerUpload.
func (u *upload) Finish(size int64, d digest.Digest) (Layer, error) {
	if !u.committed {
		if err := u.commit(size, d); err != nil {
			return nil, err
		}
	}
	if err := u.named.put(u.digest); err != nil {
		return nil, err
	}
	return u.named.fetch()
}

// rounds bounds how often the link is put again because that took so long that the blob may have
// been collected before the link was seen.
const rounds = 3

// put has the tarsum lead to the layer d, and garbage collection keep it. ErrLayerUnknown when it
// has been collected since it was published.
func (n *named) put(d digest.Digest) error {
	watch := n.friend.Watch()
	for range rounds {
		sight, err := watch.Read(n.ctx, d)
		if err == nil {
			err = n.friend.LookupSince(n.ctx, n.name, d, sight)
		}
		if err == nil {
			err = n.friend.PutLink(n.ctx, n.link(), d, "application/octet-stream")
		}
		if err != nil {
			return asLayerError(fmt.Errorf("link: %w", err))
		}
		if !watch.Expired(sight.T0) {
			return nil
		}
	}
	return fmt.Errorf("link %q: writing it takes too long: %w", n.link(), driver.Unavailable)
}

// commit publishes the blob.
func (u *upload) commit(size int64, d digest.Digest) error {
	want := max(size, 0) // for Commit 0 is any size
	if size == 0 && u.writer.Size() > 0 {
		want = u.writer.Size() + 1
	}
	if _, err := u.writer.Commit(u.named.ctx, v1.Descriptor{Digest: d, Size: want}); err != nil {
		return asLayerError(err)
	}
	u.committed, u.digest = true, d
	return nil
}
