package upload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/blobdock/blobdock/driver"
)

// direct is how the body of the only request of an upload goes to the digest's key: as
// parts of a multipart upload there, or not at all where the content is there already.
// Nothing of it is kept when it breaks; the client sends it again.
type direct struct {
	key    string
	there  bool // the store has the content: the body is hashed only
	upload driver.Upload
	// published tells that the parts are at the key: a Commit that is called again, as the
	// link could not be made, has no upload to complete any more.
	published bool
	// gone is that the store has the upload no more, as a write to the same key may take it away. The
	// rest of the body is hashed only: a push of the same content has published it, or Commit fails.
	gone atomic.Bool
}

// mayBeDirect reports whether the body may still go to the digest's key: the request is the
// only one of its upload, names a digest that is computed on the way, and has sent nothing
// yet.
func (w *Writer) mayBeDirect() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.request
	return w.direct == nil && w.inspect == nil && !w.barred && r.Final && r.Digest != "" && w.state.header.Offset == 0 && len(w.pieces) == 0 && w.hash.hashes.tracks(r.Digest.Algorithm())
}

// beginDirect looks whether the store has content that takes more than one request to
// send.
func (w *Writer) beginDirect(ctx context.Context, length int64) error {
	if !w.mayBeDirect() || length <= w.plan.Size(1) {
		return nil
	}
	obj, err := w.lookDirect(ctx)
	if err != nil || obj == nil {
		return err // a multipart upload begins with the first full part
	}
	switch {
	case !w.replace && announced(w.request.Digest, length).trusts(*obj) && !w.engine.distrusted.has(*obj):
		w.direct = &direct{key: obj.Key, there: true}
	case obj.DeleteFirst:
		w.bar()
	}
	return nil
}

// lookDirect looks at the digest's key. It returns nil if nothing is there.
func (w *Writer) lookDirect(ctx context.Context) (*driver.Object, error) {
	w.looked = true
	obj, err := driver.StatChecksums(ctx, w.engine.bucket, w.engine.layout.Blob(w.request.Digest))
	switch {
	case errors.Is(err, driver.NotFound) || err != nil && w.replace:
		return nil, nil //nolint:nilnil // nothing is an answer
	case err != nil:
		return nil, w.brokeUnlocked(err)
	}
	return &obj, nil
}

// bar makes pieces of the body: an object at the digest's key has to be deleted before parts
// can be sent there, which only content that was verified may bring about.
func (w *Writer) bar() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.barred = true
}

// makeDirect begins a multipart upload at the digest's key, where the store has uploads.
func (w *Writer) makeDirect(ctx context.Context) error {
	if w.engine.features.Uploads == nil {
		return nil
	}
	if !w.looked {
		obj, err := w.lookDirect(ctx)
		if err != nil {
			return err
		}
		if obj != nil && obj.DeleteFirst {
			w.bar()
			return nil
		}
	}
	key := w.engine.layout.Blob(w.request.Digest)
	if err := w.engine.intend(ctx, key, &w.intent); err != nil {
		return w.brokeUnlocked(err)
	}
	u, err := w.engine.features.Uploads.CreateUpload(ctx, key, driver.WriteOptions{ContentType: contentType, Use: driver.UseBlob})
	if err != nil {
		return w.brokeUnlocked(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.direct = &direct{key: key, upload: u}
	return nil
}

// spillPart stores the bytes of buf, which are the beginning of a part, as an object of their
// own and gives their memory back. They are read again when the part is sent. The lock is
// held.
func (w *Writer) spillPart(ctx context.Context) error {
	w.hashRest()
	w.hash.wait()
	refs, body := w.merge(ctx, w.refs, joined{w.buf})
	_, put := w.engine.piece(w.folder, body)
	p, err := put(ctx)
	if err != nil {
		for _, b := range body {
			if b != w.buf {
				b.Release()
			}
		}
		return err
	}
	w.unnamed = append(w.unnamed, driver.ObjectRef{Key: p.Key, Version: p.Version})
	w.refs = append(slices.Clip(refs), ref{Key: p.Key, Size: p.Size, ETag: p.ETag, CRC: body.checksum()})
	body.release()
	w.hashed = 0
	w.holder.SetIdle(0)
	return nil
}

// part is part n of the upload, and how it is stored.
func (d *direct) part(w *Writer, n int, body joined) (piece, func(context.Context) (piece, error)) {
	p := piece{Key: d.key, Size: body.size()}
	return p, func(ctx context.Context) (piece, error) {
		if d.gone.Load() {
			return p, nil
		}
		got, err := w.engine.features.Uploads.PutPart(ctx, d.upload, n, body.section())
		if errors.Is(err, driver.NotFound) {
			d.gone.Store(true)
			return p, nil
		}
		p.ETag = got.ETag
		return p, err
	}
}

// lost is the error of a part whose upload the store has not any more: a write to the
// same key, as by a push of the same content, may take it away. A repetition finds that
// content, or sends it again.
func (d *direct) lost(err error) error {
	return &driver.Error{Op: driver.OpPutPart, Key: d.key, Kind: driver.Unavailable, Err: fmt.Errorf("the multipart upload is gone: %v", err)} //nolint:errorlint // it must not match driver.NotFound
}

// drop aborts an upload that was not completed.
func (d *direct) drop(w *Writer) {
	if d.upload.ID != "" {
		w.engine.cleanup.abort(d.upload)
		d.upload = driver.Upload{}
		w.engine.fulfilled(&w.intent)
	}
}

// complete publishes the parts. The lock is held, and all of them but the bytes in buf
// are stored.
func (d *direct) complete(ctx context.Context, w *Writer) error {
	switch {
	case d.published:
		return nil
	case d.upload.ID == "":
		return d.lost(errors.New("its completion had no reply"))
	case d.gone.Load():
		return driver.NewError(driver.OpPutPart, d.key, driver.NotFound)
	}
	parts := make([]driver.Part, len(w.pieces), len(w.pieces)+1)
	for i, p := range w.pieces {
		parts[i] = driver.Part{Number: i + 1, Size: p.Size, ETag: p.ETag}
	}
	if w.tail() > 0 {
		part, err := w.engine.features.Uploads.PutPart(ctx, d.upload, len(parts)+1, w.tailBody().section())
		if err != nil {
			return err
		}
		parts = append(parts, part)
	}
	completed := false
	err := w.engine.publish(ctx, d.key, w.contentOf(), w.engine.features.Conds.Complete, w.replace, func(c driver.Cond) error {
		_, err := w.engine.features.Uploads.CompleteUpload(ctx, d.upload, parts, c)
		completed = completed || err == nil || driver.OutcomeUnknown(err)
		return err
	})
	if completed {
		d.upload = driver.Upload{} // an abort could take away what was completed
	}
	d.published = err == nil
	return err
}
