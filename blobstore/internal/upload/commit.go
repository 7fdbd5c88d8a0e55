package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// Verdict is why an upload has ended without a blob: content that is not what it was
// said to be.
type Verdict struct {
	Digest digest.Digest // what the content was said to have
	Got    digest.Digest // what it has; "" where the size is wrong
	Size   int64         // of the content
	// Refused is the error of Writer.Inspect's function, nil where it is not that.
	Refused error
}

func (v *Verdict) Error() string {
	if v.Refused != nil {
		return v.Refused.Error()
	}
	if v.Got == "" {
		return fmt.Sprintf("content for %s has %d bytes, not those that were announced", v.Digest, v.Size)
	}
	return fmt.Sprintf("content has digest %s, not %s", v.Got, v.Digest)
}

// errContentGone is how a commit fails whose content was taken for present and is not.
var errContentGone = errors.New("the content was deleted meanwhile: send it again")

// errContentDamaged is how a commit fails whose content was taken for present and has another
// checksum. The next body is sent.
var errContentDamaged = errors.New("the content that is there has another checksum: send it again")

// Commit publishes the content under d and links it into the repository. want is the
// size that the content must have; 0 is any. It returns the size.
//
// A *[Verdict] ends the upload; so does success. After another error everything that was
// acknowledged is there still, and the request can be sent again. Commit goes on for the
// grace period when ctx ends.
func (w *Writer) Commit(ctx context.Context, d digest.Digest, want int64) (size int64, err error) {
	if w.status == isEnded {
		return 0, ErrClosed
	}
	ctx, stop := detach(ctx, w.grace())
	defer stop()
	if w.published {
		if w.inspect != nil || d != w.request.Digest || w.size != w.blobSize || want > 0 && want != w.blobSize {
			return 0, w.wrap(ErrUnknown)
		}
		w.status = isEnded
		return w.blobSize, nil
	}
	closed := w.status == isClosed
	w.status = isFailed
	err = w.lockWithTail(ctx)
	defer func() {
		w.releaseGathered()
		if closed || w.status == isEnded {
			w.releaseLocked() // nobody may call Close again
		}
		w.mu.Unlock()
	}()
	verified := false
	if err == nil {
		err = w.verify(ctx, d, want)
	}
	if err == nil {
		verified = true
		w.sight, err = w.engine.options.Watch.Clear(ctx, d)
	}
	if err == nil {
		err = w.publish(ctx, d)
	}
	var verdict *Verdict
	switch {
	case errors.As(err, &verdict):
		if cerr := w.endBranch(ctx); cerr != nil {
			return 0, cerr
		}
		w.status = isEnded
		return 0, verdict
	case errors.Is(err, driver.NotFound) || errors.Is(err, driver.Mismatch):
		// Objects of the upload are gone: an earlier request may have committed it, or
		// another upload has published the content.
		n, ok, perr := w.isDone(ctx, d, verified)
		if perr != nil {
			return 0, w.wrap(perr)
		}
		if ok && (want <= 0 || n == want) {
			w.status = isEnded
			return n, nil
		}
		if w.direct != nil {
			// Nothing of the upload is gone but the parts of this request.
			return 0, w.wrap(w.direct.lost(err))
		}
		return 0, w.wrap(fmt.Errorf("%w: %w", ErrGone, err))
	case err != nil:
		return 0, w.wrap(err)
	}
	w.status = isEnded
	w.discard()
	return w.size, nil
}

// Sight is what was known of tombstones before Commit published the content. It is zero where
// Commit found it published.
func (w *Writer) Sight() tombstone.Sight { return w.sight }

// isDone reports whether the blob d is in the repository without this Writer's doing, and
// its size. Where the content was verified, it makes the link that may be missing.
func (w *Writer) isDone(ctx context.Context, d digest.Digest, verified bool) (int64, bool, error) {
	if !verified {
		if w.inspect != nil {
			return 0, false, nil // nobody has looked at this Writer's content
		}
		n, ok, err := w.engine.isPublished(ctx, w.repo, d)
		return n, ok && n == w.size, err
	}
	obj, err := driver.StatChecksums(ctx, w.engine.bucket, w.engine.layout.Blob(d))
	switch {
	case errors.Is(err, driver.NotFound):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case !w.contentOf().trusts(obj):
		return 0, false, nil
	}
	return obj.Size, true, w.link(ctx, d)
}

// ignoreAlreadyPublished returns nil if objects of the upload are gone, as err tells, since
// an earlier Commit whose reply was lost has published the blob. Otherwise it returns the
// error to answer with. The Writer then takes nothing in any more; Commit compares the size.
func (w *Writer) ignoreAlreadyPublished(ctx context.Context, err error) error {
	if !errors.Is(err, ErrGone) || !w.request.Final || w.request.Digest == "" {
		return err
	}
	size, ok, perr := w.engine.isPublished(ctx, w.repo, w.request.Digest)
	if perr == nil && !ok {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken, w.published, w.blobSize = perr, ok, size
	return perr
}

// lockWithTail takes the lock when the bytes of the references are in memory, or with an
// error. While it waits for that memory, the budget can have the rest of the tail spilled:
// Writers that are committed could otherwise wait for one another.
func (w *Writer) lockWithTail(ctx context.Context) error {
	for {
		w.mu.Lock()
		w.join()
		w.mu.Unlock()
		early, err := w.gather(ctx)
		w.mu.Lock()
		if err != nil {
			return err
		}
		if early == nil && len(w.refs) == 0 || early != nil && early.Size() == w.tail()-w.buf.Size() {
			w.gathered = early
			w.holder.SetIdle(0)
			return nil
		}
		early.Release()
		w.mu.Unlock()
	}
}

// releaseGathered gives back what lockWithTail has taken.
func (w *Writer) releaseGathered() {
	w.gathered.Release()
	w.gathered = nil
}

// verify compares the content's digest and size.
func (w *Writer) verify(ctx context.Context, d digest.Digest, want int64) error {
	if err := w.waitParts(); err != nil {
		return err
	}
	if w.broken != nil {
		return w.broken
	}
	w.hashRest()
	w.hash.wait()
	if want > 0 && want != w.size {
		return &Verdict{Digest: d, Size: w.size}
	}
	got, ok := w.hash.hashes.digest(d.Algorithm())
	if !ok {
		var err error
		if got, err = w.rehash(ctx, d.Algorithm()); err != nil {
			return err
		}
	}
	if got != d {
		return &Verdict{Digest: d, Got: got, Size: w.size}
	}
	if w.direct != nil && w.direct.key != w.engine.layout.Blob(d) {
		// The bytes went to the key of the digest that was announced.
		return &Verdict{Digest: w.request.Digest, Got: got, Size: w.size}
	}
	return w.inspected(ctx, d)
}

// Inspect has Commit call f with the content, when its digest has been compared and before it is
// published. An error of f is a verdict. It is called before the first byte is written: the body
// of the request that ends the upload can't go to the digest's key then.
func (w *Writer) Inspect(f func(io.Reader) error) { w.inspect = f }

// rehash reads the content: the digest's algorithm was not announced when the bytes came
// by.
func (w *Writer) rehash(ctx context.Context, a digest.Algorithm) (digest.Digest, error) {
	h := newHashes(a)
	c := w.contentReader(ctx)
	defer c.close()
	_, err := io.Copy(h, c)
	got, _ := h.digest(a)
	return got, err
}

// inspected has the content looked at before it is published.
func (w *Writer) inspected(ctx context.Context, d digest.Digest) error {
	if w.inspect == nil {
		return nil
	}
	c := w.contentReader(ctx)
	defer c.close()
	switch err := w.inspect(c); {
	case c.err != nil: // it was not the content
		return c.err
	case err != nil:
		return &Verdict{Digest: d, Got: d, Size: w.size, Refused: err}
	}
	w.inspect = nil // a Commit that is called again has the same content, which may be published by now
	return nil
}

// tailBody is the bytes behind the pieces. The Writer was locked by lockWithTail.
func (w *Writer) tailBody() joined {
	var body joined
	if w.gathered != nil {
		body = joined{w.gathered}
	}
	if w.buf.Size() > 0 {
		body = append(body, w.buf)
	}
	return body
}

// publish brings the verified content to its digest's key, and links it.
func (w *Writer) publish(ctx context.Context, d digest.Digest) error {
	if w.direct != nil && w.direct.there {
		if err := w.link(ctx, d); err != nil {
			return err
		}
		return w.confirm(ctx, w.direct.key)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.link(gctx, d) })
	g.Go(func() error {
		switch {
		case w.direct != nil:
			return w.direct.complete(gctx, w)
		case len(w.pieces) == 0:
			return w.putWhole(gctx, d)
		default:
			return w.concat(gctx, d)
		}
	})
	return g.Wait()
}

// confirm reports whether content that was hashed and not sent is there.
func (w *Writer) confirm(ctx context.Context, key string) error {
	obj, err := driver.StatChecksums(ctx, w.engine.bucket, key)
	fail := func(cause error) error {
		return &driver.Error{Op: driver.OpStat, Key: key, Kind: driver.Unavailable, Err: cause}
	}
	switch {
	case errors.Is(err, driver.NotFound) || err == nil && obj.Size != w.size:
		return fail(errContentGone)
	case err != nil:
		return err
	case !w.contentOf().trusts(obj):
		w.engine.distrusted.add(obj)
		return fail(errContentDamaged)
	}
	return nil
}

// link links d into the repository.
func (w *Writer) link(ctx context.Context, d digest.Digest) error {
	if w.unlinked {
		return nil
	}
	if err := w.engine.Link(ctx, w.repo, d, d); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}

// putWhole publishes content that one request stores.
func (w *Writer) putWhole(ctx context.Context, d digest.Digest) error {
	return w.engine.putBlob(ctx, d, w.contentOf(), w.tailBody().section(), w.replace)
}

// sources are the pieces, the bytes behind them among these.
func (w *Writer) sources(ctx context.Context) ([]driver.Object, error) {
	sources := make([]driver.Object, 0, len(w.pieces)+1)
	for _, p := range w.pieces {
		sources = append(sources, p.object())
	}
	if w.tail() == 0 {
		return sources, nil
	}
	_, put := w.engine.piece(w.folder, w.tailBody())
	last, err := put(ctx)
	if err != nil {
		return nil, err
	}
	w.unnamed = append(w.unnamed, driver.ObjectRef{Key: last.Key, Version: last.Version})
	return append(sources, last.object()), nil
}

// concat publishes pieces.
func (w *Writer) concat(ctx context.Context, d digest.Digest) error {
	e := w.engine
	sources, err := w.sources(ctx)
	if err != nil {
		return err
	}
	key := e.layout.Blob(d)
	if obj, err := driver.StatChecksums(ctx, e.bucket, key); err == nil && w.contentOf().trusts(obj) && !w.replace {
		return nil
	}
	return e.publish(ctx, key, w.contentOf(), e.features.ConcatConds(), w.replace, func(c driver.Cond) error {
		return e.concat(ctx, driver.ConcatRequest{
			Key: key, Sources: sources, CRC32C: w.hash.hashes.crc32c, DeleteSources: true, Scratch: w.folder + scratchDir,
			Options: driver.WriteOptions{ContentType: contentType, Cond: c, Use: driver.UseBlob},
		}, &w.intent)
	})
}

// drop is discard without the lock held.
func (w *Writer) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.waitParts() // the pieces under way are known then
	w.discard()
}

// discard removes what a committed upload leaves, in the background.
func (w *Writer) discard() {
	st := w.state
	w.engine.fulfilled(&w.intent)
	refs := slices.Concat(w.unnamed, w.promised, w.checkpoints)
	w.unnamed, w.promised, w.checkpoints = nil, nil, nil
	if st.object.Key != "" {
		refs = append(refs, st.object)
		w.engine.cache.forget(st.object.Key)
	}
	refs = append(refs, st.header.Ancestors...)
	for _, p := range st.header.Pieces {
		refs = append(refs, driver.ObjectRef{Key: p.Key, Version: p.Version})
	}
	for _, a := range st.header.Ancestors {
		w.engine.cache.forget(a.Key)
	}
	w.engine.cleanup.add(refs...)
	if st.header.MoreAncestors {
		w.engine.cleanup.folder(w.folder)
	}
}
