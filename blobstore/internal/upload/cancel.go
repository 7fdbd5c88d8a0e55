package upload

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// Cancel ends the upload at the client's wish, with all its bytes: a later Resume is
// ErrUnknown. After a Commit that failed in passing it does nothing, so that the client
// can repeat the request; after Commit or another Cancel there is nothing to do.
func (w *Writer) Cancel(ctx context.Context) error {
	if w.status == isEnded || w.status == isFailed || w.published {
		w.release()
		return nil
	}
	w.release()
	w.status = isEnded
	ctx, stop := detach(ctx, w.grace())
	defer stop()
	e := w.engine
	e.cache.end(w.state)
	end := endKey(w.folder)
	if _, err := e.bucket.Put(ctx, end, io.NewSectionReader(strings.NewReader(""), 0, 0), driver.WriteOptions{ContentType: contentType}); err != nil {
		return w.wrap(err)
	}
	if err := removeFolder(ctx, e.bucket, w.folder, end); err != nil {
		return w.wrap(err)
	}
	return nil
}

// endBranch removes what this branch of the upload alone has, after a verdict. It is
// ErrConflict when the upload goes on from the same state: the verdict is on this
// request's bytes alone, and all else stays.
func (w *Writer) endBranch(ctx context.Context) error {
	e := w.engine
	e.cleanup.add(w.unnamed...)
	w.unnamed = nil
	base := w.state
	if base.object.Key == "" && e.cache.beganHere(base.id.uuid) && len(w.checkpoints)+len(w.promised)+len(w.abandoned) == 0 {
		return nil // there is nothing
	}
	t, err := e.tree(ctx, w.folder, base.id.uuid)
	if err != nil {
		return fmt.Errorf("branches: %w", err)
	}
	for _, c := range w.checkpoints {
		t.remove(c.Key)
	}
	e.cleanup.add(w.checkpoints...)
	w.checkpoints = nil
	var left []driver.ObjectRef
	if !t.isContinued(w.abandoned) {
		left, w.abandoned = w.abandoned, nil
	}
	for _, o := range left {
		t.remove(o.Key)
	}
	if len(t.children(base.id)) > 0 {
		return ErrConflict
	}
	e.cleanup.add(w.promised...) // no state is there that names them
	w.promised = nil
	chain := base.chain(t)
	mine := make(map[string]bool)
	for _, at := range chain {
		mine[at.own()] = true
	}
	others := func(states []id) bool {
		return slices.ContainsFunc(states, func(c id) bool { return !mine[c.own()] })
	}
	var refs []driver.ObjectRef
	// A state whose writing had no reply is another branch, and has the same pieces.
	alone := !others(t.after[noParent])
	for _, at := range chain {
		if others(t.children(at)) {
			alone = false // another branch needs this state, and those before it
			break
		}
		refs = append(refs, t.objects[at.stateKey(w.folder)])
	}
	if alone {
		refs = append(refs, left...)
		for _, p := range base.header.Pieces {
			refs = append(refs, driver.ObjectRef{Key: p.Key, Version: p.Version})
		}
	}
	refs = slices.DeleteFunc(refs, func(r driver.ObjectRef) bool { return r.Key == "" })
	for _, r := range refs {
		e.cache.forget(r.Key)
	}
	e.cleanup.add(refs...)
	return nil
}

// chain is the state and those before it, checkpoints among them as far as they are known:
// the newest first.
func (st *state) chain(t *tree) []id {
	var chain []id
	if !st.id.first() {
		chain = append(chain, st.id)
	}
	for _, o := range slices.Backward(st.header.Ancestors) {
		if at, ok := parseStateKey(st.folder, st.id.uuid, o.Key); ok {
			chain = append(chain, at)
		}
	}
	if !st.header.MoreAncestors {
		return chain
	}
	for at, ok := t.parent(st.id); ok && len(chain) <= len(t.states); at, ok = t.parent(at) {
		chain = append(chain, at)
	}
	return chain
}
