package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
)

// unlinked is in the place of a repository for uploads that belong to none. No
// repository's name begins with "_", and distribution does not look into folders
// that do.
const unlinked = "_unlinked"

// BlobOptions tune PutBlob.
type BlobOptions struct {
	// Replace writes even where a blob of the right size is, as when its content is
	// known to be wrong.
	Replace bool
}

// PutBlob stores content, which must have size bytes, as the blob d, to which no
// repository links yet. Nothing shows until the digest has been compared:
// distribution.ErrBlobInvalidDigest when it differs, ErrBodyLength when the size
// does. A blob of that size that is there already is left, one of another replaced.
// Its buffers count against the memory budget, for which it waits.
//
// A blob of one part is one request. A larger one has a session, which leads the
// sweeper to what a process leaves that is killed meanwhile; it can't be resumed.
func (s *Store) PutBlob(ctx context.Context, d digest.Digest, size int64, content io.Reader, o BlobOptions) error {
	if err := checkDigest(d); err != nil {
		return err
	}
	r := &Repository{store: s, name: unlinked}
	w, err := r.newWriter(ctx, r.newSession(d, d.Algorithm()), nil)
	if err != nil {
		return err
	}
	w.replace = o.Replace
	if err := w.transfer(ctx, d, size, content); err != nil {
		if cerr := w.Cancel(ctx); cerr != nil {
			s.options.Log.WarnContext(ctx, "upload not tidied up, the sweeper will", "upload", w.ID(), "blob", d, "cause", cerr)
		}
		return err
	}
	w.ended = true
	w.stage.release(ctx)
	if w.stage.sess.etag != "" {
		w.discard(ctx)
	}
	return nil
}

// transfer takes in all of content and publishes it.
func (w *Writer) transfer(ctx context.Context, d digest.Digest, size int64, content io.Reader) error {
	_, err := w.stage.append(ctx, content, size, true)
	if serr := w.stage.settle(ctx, false); serr != nil && !errors.Is(err, serr) {
		err = errors.Join(err, serr)
	}
	if err != nil {
		return fmt.Errorf("blob %s: %w", d, err)
	}
	return w.publish(ctx, d)
}
