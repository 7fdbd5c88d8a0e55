package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
)

// Writer is one process's hold on an upload. It implements
// distribution.BlobWriter, whose Write, ReadFrom and Close take no context, so it
// keeps that of Create or Resume. It is not safe for concurrent use.
//
// When ReadFrom or Close return nil, everything taken in is persisted and any
// replica can resume it. (During the PUT that ends an upload ReadFrom leaves
// that to Commit.)
type Writer struct {
	ctx   context.Context
	repo  *Repository
	stage *stage
	hint  hint
	read  bool // a ReadFrom has used the hint's length
	ended bool // committed or cancelled
	// replace publishes in place of a blob that is there, whatever its size.
	replace bool
}

var _ distribution.BlobWriter = (*Writer)(nil)

var errWriterEnded = errors.New("upload is already committed or cancelled")

// ID identifies the upload within its repository.
func (w *Writer) ID() string { return w.stage.sess.ID }

// StartedAt is when the upload was created.
func (w *Writer) StartedAt() time.Time { return w.stage.sess.Started }

// Size is how many bytes the upload has. After an error it is how many are
// persisted, which is where the client must go on.
func (w *Writer) Size() int64 {
	if w.stage.broken != nil {
		return w.stage.sess.Offset()
	}
	return w.stage.size
}

// Write takes in p. It is persisted by Close.
func (w *Writer) Write(p []byte) (int, error) {
	if w.ended {
		return 0, errWriterEnded
	}
	n, err := w.stage.append(w.ctx, bytes.NewReader(p), -1, false)
	return int(n), err
}

// ReadFrom takes in r to its end and persists it. When r fails, or the client
// behind it goes away, what had arrived is persisted all the same.
func (w *Writer) ReadFrom(r io.Reader) (n int64, err error) {
	if w.ended {
		return 0, errWriterEnded
	}
	ctx, span := traced(w.ctx, "append", w.repo.name, w.ID(), "")
	defer span.end(&err)
	length := int64(-1)
	if !w.read {
		w.read, length = true, w.hint.length
	}
	n, err = w.stage.append(ctx, r, length, w.hint.final)
	ctx, stop := detach(ctx, w.repo.store.grace(ctx))
	defer stop()
	if err == nil && !w.hint.final {
		w.stage.cut(ctx)
	}
	if serr := w.stage.settle(ctx, err != nil || !w.hint.final); serr != nil && !errors.Is(err, serr) {
		err = errors.Join(err, serr)
	}
	if err != nil {
		return n, fmt.Errorf("upload %s: %w", w.ID(), err)
	}
	return n, nil
}

// Close persists what was written and frees the Writer's memory. It may be
// called again, also after Commit or Cancel.
func (w *Writer) Close() error {
	if w.ended {
		return nil
	}
	ctx, stop := detach(w.ctx, w.repo.store.grace(w.ctx))
	defer stop()
	err := w.stage.settle(ctx, true)
	w.stage.close(ctx)
	if err != nil {
		return fmt.Errorf("upload %s: %w", w.ID(), err)
	}
	return nil
}

// Commit publishes the content under provisional's digest and links it into the
// repository. The digest is compared before anything shows there. A digest that
// differs, a size that differs, and an algorithm that is not supported are
// distribution's errors for it; the upload is then of no further use.
func (w *Writer) Commit(ctx context.Context, provisional v1.Descriptor) (_ v1.Descriptor, err error) {
	if w.ended {
		return v1.Descriptor{}, errWriterEnded
	}
	d := provisional.Digest
	ctx, span := traced(ctx, "commit", w.repo.name, w.ID(), d)
	defer span.end(&err)
	if err := checkDigest(d); err != nil {
		return v1.Descriptor{}, err
	}
	if err := w.stage.settle(ctx, false); err != nil {
		return v1.Descriptor{}, fmt.Errorf("upload %s: %w", w.ID(), err)
	}
	size := w.stage.size
	if provisional.Size > 0 && provisional.Size != size {
		return v1.Descriptor{}, distribution.ErrBlobInvalidLength
	}
	if err := w.publish(ctx, d); err != nil {
		return v1.Descriptor{}, err
	}
	if err := w.repo.link(ctx, d, size); err != nil {
		return v1.Descriptor{}, fmt.Errorf("blob %s: %w", d, err)
	}
	w.ended = true
	w.stage.close(ctx)
	w.discard(ctx)
	w.repo.store.options.Log.DebugContext(ctx, "blob committed", "upload", w.ID(), "repository", w.repo.name, "digest", d, "size", size)
	return descriptor(d, size), nil
}

// publish verifies the content and brings it to its digest key.
func (w *Writer) publish(ctx context.Context, d digest.Digest) error {
	p := &publication{store: w.repo.store, stage: w.stage, digest: d, key: w.repo.store.layout.Blob(d), replace: w.replace}
	if got, ok := w.stage.hash.digest(d.Algorithm()); ok {
		if got != d {
			return distribution.ErrBlobInvalidDigest{Digest: d, Reason: fmt.Errorf("content has digest %s", got)}
		}
		p.verified = true
	}
	p.sha256, _ = w.stage.hash.digest(digest.SHA256)
	err := p.run(ctx)
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(distribution.ErrBlobInvalidDigest)):
		// Handlers tell it by its type, unwrapped.
		var bad distribution.ErrBlobInvalidDigest
		errors.As(err, &bad)
		return bad
	case errors.Is(err, driver.Mismatch):
		return fmt.Errorf("blob %s: %w: %w", d, ErrUploadConflict, err)
	case errors.Is(err, driver.NotFound):
		return fmt.Errorf("blob %s: %w: %w", d, ErrUploadGone, err)
	default:
		return fmt.Errorf("blob %s: %w", d, err)
	}
}

// discard removes what a committed upload leaves: the session and what was
// staged. A failure fails nothing, the sweeper comes by.
func (w *Writer) discard(ctx context.Context) {
	ctx, stop := w.repo.store.cleanup(ctx)
	defer stop()
	if err := w.repo.store.dropUpload(ctx, w.stage.sess, w.stage.upload, true); err != nil {
		w.repo.store.options.Log.WarnContext(ctx, "upload not tidied up, the sweeper will", "upload", w.ID(), "repository", w.repo.name, "cause", err)
	}
}

// Cancel drops the upload and all its bytes. It may be called again, also after
// Commit, when it does nothing.
func (w *Writer) Cancel(ctx context.Context) (err error) {
	if w.ended {
		return nil
	}
	w.ended = true
	ctx, span := traced(ctx, "cancel", w.repo.name, w.ID(), "")
	defer span.end(&err)
	w.stage.close(ctx)
	ctx, stop := w.repo.store.cleanup(ctx)
	defer stop()
	if err := w.repo.store.dropUpload(ctx, w.stage.sess, w.stage.upload, false); err != nil {
		return fmt.Errorf("upload %s: %w", w.ID(), err)
	}
	return nil
}
