package blobstore

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore/internal/upload"
)

// Writer is one process's hold on an upload. It implements distribution.BlobWriter, whose
// Write, ReadFrom and Close take no context, so it keeps that of Create or Resume. It is
// not safe for concurrent use.
//
// When ReadFrom returns, everything taken in is persisted, any replica can resume it, and
// ID is final; after Write that holds when Close returns nil. During the PUT that ends an
// upload ReadFrom leaves that to Commit.
type Writer struct {
	ctx    context.Context // distribution.BlobWriter's ReadFrom has none
	repo   *Repository
	upload *upload.Writer
}

var (
	_ distribution.BlobWriter = (*Writer)(nil)
	_ io.WriteSeeker          = (*Writer)(nil)
)

// ID identifies the upload within its repository, as it is persisted: it changes with each
// request that adds bytes.
func (w *Writer) ID() string { return w.upload.ID() }

// StartedAt is when the upload was created.
func (w *Writer) StartedAt() time.Time { return w.upload.StartedAt() }

// Size is how many bytes the upload has. After an error it is how many are persisted,
// which is where the client must go on.
func (w *Writer) Size() int64 { return w.upload.Size() }

// Digest is the SHA-256 digest of all bytes so far.
func (w *Writer) Digest() digest.Digest { return w.upload.Digest() }

// Write takes in p. It is persisted by Close.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.upload.Write(p)
	return n, asDistribution(err)
}

// ReadFrom takes in r to its end and persists it. When r fails, or the client behind it
// goes away, what had arrived is persisted all the same.
func (w *Writer) ReadFrom(r io.Reader) (n int64, err error) {
	ctx, span := traced(w.ctx, "append", w.repo.name, w.ID(), "")
	defer span.end(&err)
	w.upload.Within(ctx)
	defer w.upload.Within(w.ctx)
	if n, err = w.upload.ReadFrom(r); err != nil {
		return n, asDistribution(fmt.Errorf("upload %s: %w", w.ID(), err))
	}
	return n, nil
}

// Seek makes the upload go on from an earlier state of it, or a later one, for a caller that has lost
// where it was: the bytes behind it need not be sent once more. An upload has a state at byte
// 0, where each ReadFrom ended, and where a Writer was closed or sought away after Write; of one
// branch those before the Writer's, and those that follow from it. io.SeekEnd means the furthest
// that follows. Elsewhere Seek returns an error that matches [ErrUploadOffset] and names the
// offsets that there are. It then changes nothing. During the PUT that ends an upload there may
// be none but the Writer's own.
//
// A Write after a Seek back begins another branch, and ID names that. The bytes that were left
// stay until Commit: Seek can go to them again from the state that both branches share. Where
// several branches have a state at the offset, it is that on which the Writer was last, else that
// on the way to the furthest.
//
// To be told where the Writer is takes no request. Other calls persist what was written, list
// the upload's states, and read at most one of them.
func (w *Writer) Seek(offset int64, whence int) (_ int64, err error) {
	ctx, span := traced(w.ctx, "seek", w.repo.name, w.ID(), "")
	defer span.end(&err)
	w.upload.Within(ctx)
	defer w.upload.Within(w.ctx)
	at, err := w.upload.Seek(offset, whence)
	return at, asDistribution(err)
}

// Close persists what was written and frees the Writer's memory. It may be called again,
// also after Commit or Cancel.
func (w *Writer) Close() error { return asDistribution(w.upload.Close()) }

// Commit publishes the content under provisional's digest and links it into the
// repository. The digest is compared before anything shows there. A digest that differs,
// and a size that differs, are distribution's errors for it, and end the upload. Any other
// failure leaves the upload, so that the same request can be sent again. Commit goes on
// for Options.DisconnectGrace when ctx ends. The descriptor returned has provisional's media
// type, which the store does not keep: Lookup says application/octet-stream for every blob.
func (w *Writer) Commit(ctx context.Context, provisional v1.Descriptor) (_ v1.Descriptor, err error) {
	d := provisional.Digest
	ctx, span := traced(ctx, "commit", w.repo.name, w.ID(), d)
	defer span.end(&err)
	if err := checkDigest(d); err != nil {
		return v1.Descriptor{}, err
	}
	epoch := w.repo.store.cacheEpoch.Load()
	size, err := w.upload.Commit(ctx, d, provisional.Size)
	if err != nil {
		return v1.Descriptor{}, asDistribution(err)
	}
	sight, err := w.repo.confirm(ctx, d, w.upload.Sight())
	if err != nil {
		return v1.Descriptor{}, err
	}
	w.repo.linked(ctx, d, d, w.repo.store.published(d, size), epoch, sight)
	w.repo.store.options.Log.DebugContext(ctx, "blob committed", "upload", w.ID(), "repository", w.repo.name, "digest", d, "size", size)
	return typed(descriptor(d, size), provisional.MediaType), nil
}

// Inspect has Commit call f with the content, after its digest was compared and before anything
// shows. When f fails the content is not published, the upload has ended, and Commit returns f's
// error. Where the store could not be read, Commit returns the store's error, and the upload stays.
// What f does not read is published unread. A Commit that is called again does not call f once
// more where it was content. f calls no method of the Writer.
//
// Inspect is called before the first byte is written. The pieces of the upload are read from the
// store once more, as a stream.
func (w *Writer) Inspect(f func(content io.Reader) error) { w.upload.Inspect(f) }

// Cancel ends the upload at the client's wish, with all its bytes. It may be called again.
// After Commit it does nothing: a Commit that failed in passing leaves the upload.
func (w *Writer) Cancel(ctx context.Context) (err error) {
	ctx, span := traced(ctx, "cancel", w.repo.name, w.ID(), "")
	defer span.end(&err)
	return w.upload.Cancel(ctx)
}

// progress is an upload that was asked for its status, and which nobody writes to.
type progress struct{ UploadStatus }

var _ distribution.BlobWriter = progress{}

func (p progress) ID() string           { return p.UploadStatus.ID }
func (p progress) StartedAt() time.Time { return p.UploadStatus.StartedAt }
func (p progress) Size() int64          { return p.UploadStatus.Size }
func (p progress) Close() error         { return nil }

func (progress) Write([]byte) (int, error)         { return 0, upload.ErrClosed }
func (progress) ReadFrom(io.Reader) (int64, error) { return 0, upload.ErrClosed }
func (progress) Cancel(context.Context) error      { return upload.ErrClosed }

func (progress) Commit(context.Context, v1.Descriptor) (v1.Descriptor, error) {
	return v1.Descriptor{}, upload.ErrClosed
}
