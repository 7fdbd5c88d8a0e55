package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// File is an upload to a key of the caller's choice, with no digest to compare:
// what a registry's storage driver appends to. Like a [Writer] it can be resumed
// by any replica. It is not safe for concurrent use.
type File struct {
	ctx   context.Context // io.Writer has no other place for it
	store *Store
	stage *stage
	key   string
	ended bool
}

// Append opens the object at key for writing: anew, or with resume at the end of
// what was written and not committed. Committed content can't be appended to,
// except when it has no bytes: Unsupported.
func (s *Store) Append(ctx context.Context, key string, resume bool) (*File, error) {
	sess, tail, err := loadSession(ctx, s.bucket, SessionOf(key))
	switch {
	case errors.Is(err, driver.NotFound):
		if resume {
			if err := s.checkFresh(ctx, key); err != nil {
				return nil, err
			}
		}
		sess = &session{ID: path.Base(path.Dir(key)), Started: time.Now().UTC(), Next: 1, key: SessionOf(key)}
	case err != nil:
		return nil, err
	case !resume:
		_ = tail.Close()
		if err := s.dropUpload(ctx, sess, sess.Staged, false); err != nil {
			return nil, err
		}
		sess, tail = &session{ID: sess.ID, Started: time.Now().UTC(), Next: 1, key: sess.key}, nil
	}
	st, err := s.newStage(sess, tail)
	if err != nil {
		return nil, err
	}
	st.target = key
	return &File{ctx: ctx, store: s, stage: st, key: key}, nil
}

func (s *Store) checkFresh(ctx context.Context, key string) error {
	obj, err := s.bucket.Stat(ctx, key)
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

// Write takes in p. It is persisted by Close.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.ReadFrom(bytes.NewReader(p))
	return int(n), err
}

// ReadFrom takes in r to its end. It is persisted by Close.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	if f.ended {
		return 0, errWriterEnded
	}
	n, err := f.stage.append(f.ctx, r, -1, false)
	if err != nil {
		return n, fmt.Errorf("%q: %w", f.key, err)
	}
	return n, nil
}

// Size is how many bytes were written, those of earlier Files included.
func (f *File) Size() int64 { return f.stage.size }

// Close persists what was written, unless it is committed.
func (f *File) Close() error {
	if f.ended {
		return nil
	}
	ctx, stop := detach(f.ctx, f.store.grace(f.ctx))
	defer stop()
	err := f.stage.settle(ctx, true)
	f.stage.close(ctx)
	if err != nil {
		return fmt.Errorf("%q: %w", f.key, err)
	}
	return nil
}

// Commit makes what was written the object at the key, in place of what was there.
func (f *File) Commit(ctx context.Context) error {
	if f.ended {
		return errWriterEnded
	}
	if err := f.stage.settle(ctx, false); err != nil {
		return fmt.Errorf("%q: %w", f.key, err)
	}
	p := &publication{store: f.store, stage: f.stage, key: f.key}
	if err := p.plain(ctx); err != nil {
		return err
	}
	f.ended = true
	f.stage.close(ctx)
	if f.stage.sess.etag == "" {
		return nil // no session was ever written
	}
	ctx, stop := f.store.cleanup(ctx)
	defer stop()
	if err := f.store.bucket.Delete(ctx, f.stage.sess.key, driver.DeleteOptions{}); err != nil {
		f.store.options.Log.WarnContext(ctx, "session not deleted, the sweeper will", "key", f.key, "cause", err)
	}
	return nil
}

// plain stores the content at its key, whatever it is.
func (p *publication) plain(ctx context.Context) error {
	if err := p.stage.ensureTail(ctx); err != nil {
		return err
	}
	if len(p.stage.parts) == 0 {
		var content []byte
		if p.stage.buf != nil {
			content = p.stage.buf.bytes()
		}
		_, err := p.store.bucket.Put(ctx, p.key, section(content), driver.WriteOptions{ContentType: contentType})
		return err
	}
	p.verified = true // there is nothing to compare with
	_, err := p.complete(ctx)
	return err
}

// Cancel drops what was written, and what is at the key.
func (f *File) Cancel(ctx context.Context) error {
	if f.ended {
		return nil
	}
	f.ended = true
	f.stage.close(ctx)
	ctx, stop := f.store.cleanup(ctx)
	defer stop()
	if err := f.store.dropUpload(ctx, f.stage.sess, f.stage.upload, false); err != nil {
		return err
	}
	return f.store.bucket.Delete(ctx, f.key, driver.DeleteOptions{})
}
