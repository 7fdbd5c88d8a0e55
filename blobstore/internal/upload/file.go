package upload

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// File is an upload to a key of the caller's choice, with no digest to compare: what a
// registry's storage driver appends to. Its chain lies in a folder beside the key, which
// listings should not show. Any process can go on with it.
type File struct {
	*Writer
	key string
}

// Append opens the file at key for writing: anew, or with resume at the end of what was
// written and not committed. Committed content can't be appended to, except when it has no
// bytes: Unsupported.
func (e *Engine) Append(ctx context.Context, key string, resume bool) (*File, error) {
	folder := layout.Chain(key)
	if !resume {
		if err := removeFolder(ctx, e.bucket, folder, ""); err != nil {
			return nil, err
		}
		return e.newFile(ctx, key, nil), nil
	}
	t, err := e.tree(ctx, folder, "")
	if err != nil {
		return nil, err
	}
	var last *id
	for _, i := range t.states {
		if last == nil || i.offset > last.offset {
			last = &i
		}
	}
	if last == nil {
		if err := e.checkFresh(ctx, key); err != nil {
			return nil, err
		}
		return e.newFile(ctx, key, nil), nil
	}
	st, err := e.load(ctx, folder, "", *last)
	if err != nil {
		return nil, err
	}
	return e.newFile(ctx, key, st), nil
}

func (e *Engine) newFile(ctx context.Context, key string, st *state) *File {
	if st == nil {
		i := id{token: string(macMark) + strings.Repeat("a", tokenLen-1)}
		st = &state{id: i, folder: layout.Chain(key), header: header{Started: time.Now().UTC(), Algorithms: []digest.Algorithm{digest.SHA256}}}
	}
	return &File{e.newWriter(ctx, "", st, Request{Length: -1}), key}
}

func (e *Engine) checkFresh(ctx context.Context, key string) error {
	obj, err := e.bucket.Stat(ctx, key)
	switch {
	case errors.Is(err, driver.NotFound):
		return nil
	case err != nil:
		return err
	case obj.Size > 0:
		return fmt.Errorf("append to %q: %d bytes are committed there: %w", key, obj.Size, driver.Unsupported)
	}
	return nil
}

// Commit makes what was written the object at the key, in place of what was there. When it
// fails, it can be called again.
func (f *File) Commit(ctx context.Context) error {
	w := f.Writer
	if w.status == isEnded {
		return ErrClosed
	}
	closed := w.status == isClosed
	err := w.lockWithTail(ctx)
	defer func() {
		w.releaseGathered()
		if closed || w.status == isEnded {
			w.releaseLocked()
		}
		w.mu.Unlock()
	}()
	if err == nil {
		err = w.waitParts()
	}
	if err == nil {
		err = w.broken
	}
	w.hashRest()
	w.hash.wait()
	sum, _ := w.hash.hashes.digest(digest.SHA256)
	if err == nil {
		err = f.publish(ctx, sum)
	}
	if errors.Is(err, driver.NotFound) {
		err = f.ignoreAlreadyCommitted(ctx, sum, err)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", f.key, err)
	}
	w.status = isEnded
	// At once, as the folder below: a walk of distribution's may come next.
	w.engine.fulfilledNow(ctx, &w.intent)
	if w.state.object.Key == "" && len(w.unnamed)+len(w.promised)+len(w.checkpoints) == 0 {
		return nil // no object was ever written
	}
	w.unnamed, w.promised, w.checkpoints = nil, nil, nil
	// At once: the folder may be all that distribution looks at.
	return removeFolder(ctx, w.engine.bucket, w.folder, "")
}

func (f *File) publish(ctx context.Context, sum digest.Digest) error {
	w, e := f.Writer, f.engine
	o := driver.WriteOptions{ContentType: contentType, Use: driver.UsePiece, Metadata: map[string]string{layout.MetadataSHA256: sum.Encoded()}}
	if len(w.pieces) == 0 {
		body := w.tailBody()
		o.SHA256, _ = hex.DecodeString(sum.Encoded())
		return e.overwrite(ctx, f.key, func(driver.Cond) error {
			_, err := e.bucket.Put(ctx, f.key, body.section(), o)
			return err
		})
	}
	sources, err := w.sources(ctx)
	if err != nil {
		return err
	}
	return e.overwrite(ctx, f.key, func(driver.Cond) error {
		return e.concat(ctx, driver.ConcatRequest{
			Key: f.key, Sources: sources, CRC32C: w.hash.hashes.crc32c, DeleteSources: true, Scratch: w.folder + scratchDir, Options: o,
		}, &w.intent)
	})
}

// ignoreAlreadyCommitted returns nil if the file has the content, and err otherwise: sources
// are gone, as a Commit has taken them whose reply was lost, or whose process died before it
// had removed the chain.
func (f *File) ignoreAlreadyCommitted(ctx context.Context, sum digest.Digest, err error) error {
	obj, serr := f.engine.bucket.Stat(ctx, f.key)
	switch {
	case errors.Is(serr, driver.NotFound):
		return err
	case serr != nil:
		return serr
	case obj.Size == f.size && obj.Metadata[layout.MetadataSHA256] == sum.Encoded():
		return nil
	}
	return err
}

// Cancel drops what was written, and what is at the key.
func (f *File) Cancel(ctx context.Context) error {
	w := f.Writer
	if w.status == isEnded {
		return nil
	}
	w.release()
	w.status = isEnded
	ctx, stop := detach(ctx, w.grace())
	defer stop()
	if err := removeFolder(ctx, w.engine.bucket, w.folder, ""); err != nil {
		return err
	}
	return w.engine.bucket.Delete(ctx, f.key, driver.DeleteOptions{})
}
