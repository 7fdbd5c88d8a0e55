package oci

import (
	"context"
	"errors"
	"io"

	"cuelabs.dev/go/oci/ociregistry"

	"github.com/blobdock/blobdock/blobstore"
)

// defaultChunk is ChunkSize where no hint is given. Chunks may have any size.
const defaultChunk = 64 << 10

// PushBlobChunked implements ociregistry.Writer. Any replica resumes the upload.
func (r *registry) PushBlobChunked(ctx context.Context, repo string, chunkSize int) (ociregistry.BlobWriter, error) {
	b, err := r.blobs(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return nil, err
	}
	w, err := b.CreateWriter(ctx)
	if err != nil {
		return nil, asOCI(err)
	}
	return &writer{ctx: ctx, upload: w, chunk: chunkSize}, nil
}

// PushBlobChunkedResume implements ociregistry.Writer. An offset that is not where the upload
// stands is ociregistry.ErrRangeInvalid when something is written.
func (r *registry) PushBlobChunkedResume(ctx context.Context, repo, id string, offset int64, chunkSize int) (ociregistry.BlobWriter, error) {
	b, err := r.blobs(repo)
	if err == nil {
		err = r.writable()
	}
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		at, err := b.Status(ctx, id)
		if err != nil {
			return nil, asOCI(err)
		}
		id = at.ID
	}
	w, err := b.ResumeWriter(ctx, id)
	if err != nil {
		return nil, asOCI(err)
	}
	return &writer{ctx: ctx, upload: w, chunk: chunkSize, misplaced: offset >= 0 && offset != w.Size()}, nil
}

// writer implements ociregistry.BlobWriter.
type writer struct {
	ctx       context.Context // ociregistry.BlobWriter's methods have none
	upload    *blobstore.Writer
	chunk     int
	misplaced bool // nothing may be written
	ended     bool
}

var _ io.ReaderFrom = (*writer)(nil)

func (w *writer) Size() int64 { return w.upload.Size() }

func (w *writer) ID() string { return w.upload.ID() }

func (w *writer) ChunkSize() int {
	if w.chunk > 0 {
		return w.chunk
	}
	return defaultChunk
}

func (w *writer) Write(p []byte) (int, error) {
	if w.misplaced && len(p) > 0 {
		return 0, ociregistry.ErrRangeInvalid
	}
	n, err := w.upload.Write(p)
	return n, asOCI(err)
}

// ReadFrom reads without a buffer in between.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if w.misplaced {
		if _, err := io.ReadFull(r, make([]byte, 1)); errors.Is(err, io.EOF) {
			return 0, nil // it only ends the upload
		}
		return 0, ociregistry.ErrRangeInvalid
	}
	n, err := w.upload.ReadFrom(r)
	return n, asOCI(err)
}

// Close leaves the upload to be resumed.
func (w *writer) Close() error {
	if w.ended {
		return nil
	}
	return asOCI(w.upload.Close())
}

func (w *writer) Commit(d ociregistry.Digest) (ociregistry.Descriptor, error) {
	desc, err := w.upload.Commit(w.ctx, ociregistry.Descriptor{Digest: d})
	w.ended = err == nil
	return desc, asOCI(err)
}

func (w *writer) Cancel() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return asOCI(w.upload.Cancel(w.ctx))
}
