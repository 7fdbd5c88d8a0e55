package upload

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// partUploader is the pieces of one Writer that are under way.
type partUploader struct {
	ctx    context.Context // outlives the client's by the grace period
	cancel context.CancelCauseFunc
	stop   context.CancelFunc
	slots  chan struct{} // as many as may be under way
	wg     sync.WaitGroup
	// unsaved is how many bytes were sent since the last checkpoint.
	unsaved int64

	mu     sync.Mutex
	first  int                // index of the first piece that was sent here
	sent   []*outgoing        // the pieces from there on
	states []driver.ObjectRef // checkpoints: of each no more, as it has the list of all pieces
	named  int                // how many of the pieces a checkpoint names, or may name
	err    error              // of the first piece that failed
}

// outgoing is a piece on its way: it is sent and hashed at the same time.
type outgoing struct {
	piece  piece
	body   joined
	put    func(context.Context) (piece, error)
	users  atomic.Int32
	stored chan struct{} // closed when the store has it, or never will
	hashed chan struct{} // closed when it is hashed
	hashes hashStates    // behind this piece; valid once hashed is closed
	ok     bool          // the store has it; valid once stored is closed
}

// done gives the memory back when the piece is both sent and hashed.
func (o *outgoing) done() {
	if o.users.Add(-1) == 0 {
		o.body.release()
	}
}

func (w *Writer) newPartUploader(ctx context.Context) *partUploader {
	ctx, stop := detach(ctx, w.grace())
	ctx, cancel := context.WithCancelCause(ctx)
	return &partUploader{ctx: ctx, cancel: cancel, stop: stop, slots: make(chan struct{}, w.engine.options.Concurrency), first: len(w.pieces)}
}

// flushTail sends the tail as a piece, in the background.
func (w *Writer) flushTail(ctx context.Context) error {
	early, err := w.gather(ctx)
	if err != nil {
		return w.brokeUnlocked(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if early == nil && len(w.refs) > 0 || w.tail() == 0 {
		return nil // it was spilled meanwhile: once more
	}
	if early != nil && early.Size() != w.tail()-w.buf.Size() {
		early.Release()
		return nil
	}
	return w.send(ctx, early)
}

// send sends the bytes of early, which has those of the references, and of buf as a
// piece. The lock is held.
func (w *Writer) send(ctx context.Context, early *memory.Buffer) error {
	if w.uploader == nil {
		w.uploader = w.newPartUploader(ctx)
	}
	u := w.uploader
	body := joined{w.buf}
	if early != nil {
		body = joined{early, w.buf}
	}
	o := &outgoing{body: body, stored: make(chan struct{}), hashed: make(chan struct{})}
	if w.direct != nil {
		o.piece, o.put = w.direct.part(w, len(w.pieces)+1, body)
	} else {
		o.piece, o.put = w.engine.piece(w.folder, body)
	}
	o.users.Store(2)
	w.hashRest()
	w.hash.run(int(o.piece.Size), func() {
		o.hashes, _ = w.hash.hashes.states() // of the standard library's hashes: it can't fail
		close(o.hashed)
		o.done()
	})
	w.buf, w.hashed, w.refs = w.holder.NewBuffer(), 0, nil
	w.holder.SetIdle(0)
	w.pieces = append(w.pieces, o.piece)
	u.unsaved += o.piece.Size
	u.mu.Lock()
	u.sent = append(u.sent, o)
	n := len(u.sent)
	u.mu.Unlock()
	u.wg.Add(1)
	select {
	case u.slots <- struct{}{}:
		go u.run(o)
	case <-u.ctx.Done():
		u.failed(o, context.Cause(u.ctx))
	}
	if o := w.engine.options; u.unsaved >= int64(o.Checkpoint)*o.PartSize && !w.request.Final {
		u.unsaved = 0
		w.checkpoint(u, n)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return w.broke(u.err)
	}
	return nil
}

// run sends one piece.
func (u *partUploader) run(o *outgoing) {
	defer func() { <-u.slots }()
	p, err := o.put(u.ctx)
	if err != nil {
		u.failed(o, err)
		return
	}
	o.piece, o.ok = p, true
	close(o.stored)
	o.done()
	u.wg.Done()
}

// piece is an object for body, and how it is stored.
func (e *Engine) piece(folder string, body joined) (piece, func(context.Context) (piece, error)) {
	p := piece{Key: newPieceKey(folder), Size: body.size()}
	return p, func(ctx context.Context) (piece, error) {
		obj, err := e.bucket.Put(ctx, p.Key, body.section(), driver.WriteOptions{ContentType: contentType, Use: driver.UsePiece})
		p.ETag, p.Version = obj.ETag, obj.Version
		return p, err
	}
}

// failed ends a piece that the store does not have. The others' work is kept as far as it
// lies before this one.
func (u *partUploader) failed(o *outgoing, err error) {
	u.mu.Lock()
	if u.err == nil {
		u.err = err
	}
	u.mu.Unlock()
	u.cancel(err)
	close(o.stored)
	o.done()
	u.wg.Done()
}

// checkpoint has a state written as soon as the first n sent pieces are stored,
// while more are sent. Its failure fails nothing.
func (w *Writer) checkpoint(u *partUploader, n int) {
	u.mu.Lock()
	sent := u.sent[:n:n]
	u.mu.Unlock()
	base, before := w.state, w.pieces[:u.first:u.first]
	u.wg.Go(func() {
		for _, o := range sent {
			<-o.stored
			if !o.ok {
				return
			}
		}
		last := sent[n-1]
		<-last.hashed
		h := base.next()
		h.hashStates, h.Pieces = last.hashes, before
		h.Algorithms = nil
		for _, st := range h.Hashes {
			h.Algorithms = append(h.Algorithms, st.Algorithm)
		}
		for _, o := range sent {
			h.Pieces = append(h.Pieces, o.piece)
		}
		h.Offset = h.sum()
		u.mu.Lock()
		u.named = max(u.named, n) // also when the answer is lost
		u.mu.Unlock()
		st, err := w.engine.write(u.ctx, base, h, nil)
		if err != nil {
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.states = append(u.states, st.object)
	})
}

// waitParts waits for all pieces under way and takes over what has become of them: those that
// are stored up to the first that is not. The lock is held. It returns the error of the
// first piece that failed.
func (w *Writer) waitParts() error {
	u := w.uploader
	if u == nil {
		return nil
	}
	u.wg.Wait()
	w.hash.wait()
	u.stop()
	u.cancel(nil)
	w.uploader = nil
	for i, o := range u.sent {
		ref := driver.ObjectRef{Key: o.piece.Key, Version: o.piece.Version}
		switch {
		case !o.ok || w.direct != nil:
		case i < u.named:
			w.promised = append(w.promised, ref)
		default:
			w.unnamed = append(w.unnamed, ref)
		}
		w.pieces[u.first+i] = o.piece
	}
	w.checkpoints = append(w.checkpoints, u.states...)
	if u.err == nil {
		return nil
	}
	// The bytes behind the first piece that failed are lost: the hash goes back to there.
	n := 0
	for n < len(u.sent) && u.sent[n].ok {
		n++
	}
	if n > 0 && w.direct == nil {
		w.rewind(u.first+n, u.sent[n-1].hashes)
	}
	return w.broke(u.err)
}

// rewind makes the Writer one that has so many pieces and nothing behind them.
func (w *Writer) rewind(pieces int, hashes hashStates) {
	w.pieces = w.pieces[:pieces]
	w.buf.Release()
	w.hashed, w.refs = 0, nil
	w.size = 0
	for _, p := range w.pieces {
		w.size += p.Size
	}
	w.hash.hashes, _ = resumeHashes(hashes)
	w.salvaged = true
}
