package blobstore

import (
	"context"
	"slices"
)

// settle waits for the parts under way. With persist it then writes the session,
// so that all bytes taken in are safe. Otherwise they are in the session after
// the next claim, or published by Commit.
func (st *stage) settle(ctx context.Context, persist bool) error {
	if persist {
		st.cut(ctx)
	}
	if st.buf != nil {
		st.hashRest()
	}
	if f := st.flight; f != nil {
		st.flight = nil
		err := f.wait(st.parts)
		st.pipe.stop() // buffers go back only when hashed, too
		f.freeAll()
		if err != nil {
			return st.broke(err)
		}
	}
	st.pipe.stop()
	if st.buf != nil {
		st.buf.flight, st.buf.freed = nil, st.buf.owner.put
	}
	if st.broken != nil {
		return st.broken
	}
	if !persist || !st.dirty() {
		return nil
	}
	if err := st.capture(); err != nil {
		return st.broke(err)
	}
	img := *st.sess
	img.Next = st.next // gives back the numbers that were not needed
	var tail []byte
	if st.buf != nil {
		tail = st.buf.bytes()
	}
	if err := img.save(ctx, st.store.bucket, tail); err != nil {
		return st.broke(err)
	}
	*st.sess = img
	st.claimed, st.created = st.next, false
	return nil
}

// capture brings the session's image up to the parts and hashes.
func (st *stage) capture() error {
	states, err := st.hash.states()
	if err != nil {
		return err
	}
	st.sess.Hashes = states
	st.sess.Parts = slices.Clone(st.parts)
	if st.upload.ID != "" {
		st.sess.Staged = st.upload
	}
	return nil
}

// dirty reports whether bytes were taken in that the session does not have.
func (st *stage) dirty() bool { return st.size != st.sess.Offset() }
