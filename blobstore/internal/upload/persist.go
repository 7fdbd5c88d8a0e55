package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
)

// contentType is what objects without a known type have, as in distribution.
const contentType = "application/octet-stream"

// persist writes a state, unless there is nothing new; force writes one in any case.
func (w *Writer) persist(ctx context.Context, force bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.persistLocked(ctx, force, true)
}

// spill moves the tail to the store and gives its memory back; it is the holder's.
func (w *Writer) spill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.buf == nil:
		return
	case w.broken != nil || w.published || w.buf.Size() == 0:
		w.holder.SetIdle(0) // there is nothing that could be given back
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), w.engine.options.Grace)
	defer cancel()
	var err error
	if w.direct != nil {
		err = w.spillPart(ctx)
	} else {
		err = w.persistLocked(ctx, false, false)
	}
	if err != nil {
		w.engine.options.Log.WarnContext(ctx, "upload can't be moved out of memory", "upload", w.state.id.uuid, "cause", err)
	}
}

// persistLocked is persist with the lock held. keep leaves the bytes in memory, for as
// long as nobody else needs it.
//
// When a piece could not be stored, the pieces before it are persisted all the same, and
// the error of the piece is returned.
func (w *Writer) persistLocked(ctx context.Context, force, keep bool) error {
	if w.published {
		return nil
	}
	if w.tail() > w.engine.options.PartSize && len(w.refs) == 0 && w.direct == nil && w.broken == nil {
		// As a piece it is copied by the store, and need not be sent again at the commit.
		_ = w.send(ctx, nil) // waitParts returns its error
	}
	lost := w.waitParts()
	if lost != nil && !w.salvaged {
		return lost
	}
	if w.broken != nil && lost == nil {
		lost = w.broken
	}
	if w.size <= w.state.header.Offset && !force {
		return lost
	}
	w.hashRest()
	w.hash.wait()
	h := w.state.next()
	var err error
	if h.hashStates, err = w.hash.hashes.states(); err != nil {
		return err
	}
	h.Algorithms = w.hash.hashes.algorithms()
	var body joined
	h.Pieces, h.Refs = slices.Clone(w.pieces), slices.Clone(w.refs)
	if w.buf != nil && w.buf.Size() > 0 {
		body = joined{w.buf}
	}
	h.Refs, body = w.merge(ctx, h.Refs, body)
	h.Body, h.Offset = body.size(), w.size
	for _, c := range w.checkpoints {
		h.addAncestor(c)
	}
	st, err := w.engine.writeGuarded(ctx, w.state, h, body)
	if err != nil {
		for _, b := range body {
			if b != w.buf {
				b.Release()
			}
		}
		// The state may be there all the same, and a status request may find it: what it
		// names stays. The sweep removes what no state names.
		w.promised, w.unnamed = append(w.promised, w.unnamed...), nil
		return w.persistFailed(err)
	}
	for _, r := range w.state.refs() {
		if !slices.ContainsFunc(st.header.Refs, func(kept ref) bool { return kept.Key == r.Key }) {
			w.engine.cache.forgetBody(r.Key)
		}
	}
	w.state, w.refs = st, st.refs()
	w.unnamed, w.promised, w.checkpoints = nil, nil, nil
	if keep {
		w.engine.cache.put(st, body)
	} else {
		body.release()
		w.engine.cache.put(st, nil)
	}
	if w.holder != nil {
		w.buf, w.hashed = w.holder.NewBuffer(), 0
		w.holder.SetIdle(0)
	}
	return lost
}

func (w *Writer) persistFailed(err error) error {
	if errors.Is(err, ErrUnknown) {
		return w.broke(err)
	}
	return err
}

// next is the header of a state after this one, without its content.
func (st *state) next() header {
	h := header{
		Repository: st.header.Repository, Started: st.header.Started, Algorithms: st.header.Algorithms, Hint: st.header.Hint,
		Ancestors: slices.Clone(st.header.Ancestors), MoreAncestors: st.header.MoreAncestors,
	}
	if st.object.Key != "" {
		h.addAncestor(st.object)
	}
	return h
}

func (h *header) addAncestor(o driver.ObjectRef) {
	if h.MoreAncestors || len(h.Ancestors) == maxAncestors {
		h.Ancestors, h.MoreAncestors = nil, true
		return
	}
	h.Ancestors = append(h.Ancestors, o)
}

// mergeAt is how many bodies of a size class, a power of mergeAt, are referenced before
// they are merged.
const mergeAt = 16

// level is the size class of n bytes.
func level(n int64) int { return (bits.Len64(uint64(n)) + 3) / 4 }

// merge puts the bytes of references that have become many before body, and takes the
// references away. It does so only where that can be done at once: else a later state
// will.
func (w *Writer) merge(ctx context.Context, refs []ref, body joined) ([]ref, joined) {
	size := body.size()
	from := len(refs)
	for {
		i := from
		for i > 0 && level(refs[i-1].Size) <= level(max(size, 1)) {
			i--
		}
		if from-i < mergeAt-1 {
			break
		}
		for ; from > i; from-- {
			size += refs[from-1].Size
		}
	}
	if from == len(refs) || w.holder == nil {
		return refs, body
	}
	early := w.holder.NewBuffer()
	if early.TryGrowAll(size-body.size()) != nil {
		return refs, body
	}
	for _, r := range refs[from:] {
		if err := w.engine.readRef(ctx, r, early); err != nil {
			early.Release()
			return refs, body
		}
	}
	return refs[:from], append(joined{early}, body...)
}

// gather reads the bytes of all references into memory. It waits for the memory, so that
// the lock must not be held; nil when there are none.
func (w *Writer) gather(ctx context.Context) (*memory.Buffer, error) {
	w.mu.Lock()
	refs := slices.Clone(w.refs)
	w.mu.Unlock()
	if len(refs) == 0 {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	var size int64
	for _, r := range refs {
		size += r.Size
	}
	buf := w.holder.NewBuffer()
	wait, stop := w.waiting(ctx)
	defer stop()
	if err := buf.GrowAll(wait, size); err != nil {
		return nil, err
	}
	for _, r := range refs {
		if err := w.engine.readRef(ctx, r, buf); err != nil {
			buf.Release()
			return nil, err
		}
	}
	return buf, nil
}

// writeGuarded is write that also looks whether the upload was ended, where this process
// can't know that: its first id has come from another one.
func (e *Engine) writeGuarded(ctx context.Context, base *state, h header, body joined) (*state, error) {
	if !base.id.first() || base.id.uuid == "" || e.cache.beganHere(base.id.uuid) { // files have no ids
		return e.write(ctx, base, h, body)
	}
	var (
		st    *state
		ended bool
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		st, err = e.write(gctx, base, h, body)
		return err
	})
	g.Go(func() error {
		_, err := e.bucket.Stat(gctx, endKey(base.folder))
		if errors.Is(err, driver.NotFound) {
			return nil
		}
		ended = err == nil
		return err
	})
	err := g.Wait()
	switch {
	case ended && st != nil:
		e.cleanup.add(st.object)
		return nil, ErrUnknown
	case err != nil:
		return nil, err // the state stays: a status request may have found it
	}
	return st, nil
}

// write stores a state that follows base.
func (e *Engine) write(ctx context.Context, base *state, h header, body joined) (*state, error) {
	i := id{base.id.uuid, h.Offset, base.id.own() + random()}
	h.BodyCRC = body.checksum()
	head, err := h.encode()
	if err != nil {
		return nil, err
	}
	key := i.stateKey(base.folder)
	obj, err := e.bucket.Put(ctx, key, headed(head, body), driver.WriteOptions{ContentType: contentType})
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return &state{id: i, folder: base.folder, header: h, object: driver.ObjectRef{Key: key, Version: obj.Version}, written: obj.ModTime, bodyOff: int64(len(head))}, nil
}

// checksum is the CRC-32C of the body.
func (j joined) checksum() uint32 {
	var sum uint32
	for _, b := range j {
		for off := int64(0); off < b.Size(); {
			p := b.Bytes(off, b.Size()-off)
			sum = crc32.Update(sum, castagnoli, p)
			off += int64(len(p))
		}
	}
	return sum
}

// withHead is a body behind a head.
type withHead struct {
	head []byte
	body joined
}

func headed(head []byte, body joined) *io.SectionReader {
	if len(body) == 0 {
		return io.NewSectionReader(bytes.NewReader(head), 0, int64(len(head)))
	}
	return io.NewSectionReader(withHead{head, body}, 0, int64(len(head))+body.size())
}

// Bytes implements driver.Memory.
func (h withHead) Bytes(off, n int64) []byte {
	k := int64(len(h.head))
	if off < k {
		return h.head[off:min(k, off+n)]
	}
	return h.body.Bytes(off-k, n)
}

// ReadAt implements io.ReaderAt.
func (h withHead) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		part := h.Bytes(off+int64(n), int64(len(p)-n))
		if part == nil {
			return n, io.EOF
		}
		n += copy(p[n:], part)
	}
	return n, nil
}
