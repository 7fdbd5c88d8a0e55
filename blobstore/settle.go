package blobstore

import (
	"context"
	"slices"
)

// settle waits for the parts under way. With persist it then writes the session,
// so that all bytes taken in are safe. Otherwise they are in the session after
// the next claim, or published by Commit.
func (st *stage) settle(ctx context.Context, persist bool) error {
	if st.buf != nil {
		st.hashRest()
	}
	var failed error
	if f := st.flight; f != nil {
		st.flight = nil
		failed = f.wait(st.parts)
		st.pipe.stop() // buffers go back only when hashed, too
		f.freeAll()
	}
	st.pipe.stop()
	if st.buf != nil {
		st.buf.flight, st.buf.freed = nil, st.buf.owner.put
	}
	if failed != nil {
		return st.broke(failed)
	}
	if st.broken != nil {
		return st.broken
	}
	if !persist || !st.dirty() {
		return nil
	}
	img, err := st.image()
	if err != nil {
		return st.broke(err)
	}
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

// image is the session with the parts and hashes that there are now. Nothing is under way.
func (st *stage) image() (session, error) {
	states, err := st.hash.states()
	if err != nil {
		return session{}, err
	}
	img := *st.sess
	img.Hashes = states
	img.Parts = slices.Clone(st.parts)
	if st.upload.ID != "" {
		img.Staged = st.upload
	}
	return img, nil
}

// dirty reports whether bytes were taken in that the session does not have.
func (st *stage) dirty() bool { return st.size != st.sess.Offset() }
