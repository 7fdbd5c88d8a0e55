package upload

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// OffsetError is the error of a Seek to where no state of the upload is. It matches ErrOffset
// and driver.Invalid.
type OffsetError struct {
	Offset  int64
	Offsets []int64 // of the states, ascending
}

// mostOffsets is how many offsets an error's text has: those next to the offset asked for.
const mostOffsets = 32

func (e *OffsetError) Error() string {
	at, _ := slices.BinarySearch(e.Offsets, e.Offset)
	from := max(0, min(at-mostOffsets/2, len(e.Offsets)-mostOffsets))
	to := min(from+mostOffsets, len(e.Offsets))
	var text []string
	for _, o := range e.Offsets[from:to] {
		text = append(text, fmt.Sprint(o))
	}
	more := ""
	if n := len(e.Offsets) - len(text); n > 0 {
		more = fmt.Sprintf(" (%d further ones are not named)", n)
	}
	return fmt.Sprintf("the upload has no state at byte %d: seek to one of %s%s", e.Offset, strings.Join(text, ", "), more)
}

// Unwrap returns what the error matches.
func (e *OffsetError) Unwrap() []error { return []error{ErrOffset, driver.Invalid} }

// Seek implements io.Seeker. The Writer goes on from the state at the offset: one before its
// own on the way from the upload's beginning, or one that follows from its own. The end is
// that of the furthest of those that follow. Bytes that were written are persisted before the
// Writer leaves them. *OffsetError when there is no such state.
//
// Bytes that are written after a Seek back begin another branch. Those that the Writer has
// left stay until the Commit.
func (w *Writer) Seek(offset int64, whence int) (int64, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	size := w.Size()
	var t *tree
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += size
	case io.SeekEnd:
		end := size
		if w.hasStates() && !w.unpersisted() {
			var err error
			if t, err = w.liveTree(); err != nil {
				return 0, err
			}
			end = t.furthest(w.state.id).offset
		}
		offset += end
	default:
		return 0, fmt.Errorf("seek: whence %d: %w", whence, driver.Invalid)
	}
	switch {
	case offset == size:
		return offset, nil
	case !w.hasStates():
		return 0, &OffsetError{offset, []int64{size}}
	}
	if err := w.seekState(offset, t); err != nil {
		return 0, err
	}
	return offset, nil
}

// hasStates reports whether there is a state that the Writer could go to: the body of the
// request that ends an upload may go to the digest's key.
func (w *Writer) hasStates() bool { return w.direct == nil && !w.published && !w.pushed }

// unpersisted reports whether there are bytes that no state has.
func (w *Writer) unpersisted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size != w.state.header.Offset
}

// seekState makes the Writer go on from the state at offset. t is the upload's tree; nil where
// it is not known.
func (w *Writer) seekState(offset int64, t *tree) error {
	ctx, stop := detach(w.ctx, w.grace())
	defer stop()
	if w.unpersisted() {
		if err := w.persist(ctx, false); err != nil {
			return w.wrap(err)
		}
	}
	if t == nil {
		var err error
		if t, err = w.liveTree(); err != nil {
			return err
		}
	}
	states := w.reachable(t)
	i, ok := states[offset]
	if !ok {
		return &OffsetError{offset, slices.Sorted(maps.Keys(states))}
	}
	st, err := w.engine.find(ctx, w.repo, i.String(), w.request)
	if err != nil {
		return w.wrap(err)
	}
	w.goOn(t, st)
	return nil
}

// liveTree is the upload's tree. ErrUnknown when the upload has ended.
func (w *Writer) liveTree() (*tree, error) {
	i := w.state.id
	t, err := w.engine.tree(w.ctx, w.folder, i.uuid)
	if err != nil {
		return nil, w.wrap(err)
	}
	if _, there := t.objects[i.stateKey(w.folder)]; t.ended || !i.first() && !there {
		return nil, w.wrap(ErrUnknown)
	}
	return t, nil
}

// reachable are the states that the Writer can go on from, by their offsets: its own, those
// before it, and those that follow from it. Where several follow with one offset it is that which
// the Writer was on last, else that on the way to the furthest.
func (w *Writer) reachable(t *tree) map[int64]id {
	states := make(map[int64]id)
	add := func(i id) {
		if _, known := states[i.offset]; !known {
			states[i.offset] = i
		}
	}
	own := w.state.id
	add(own)
	for _, i := range w.state.chain(t) {
		if _, there := t.objects[i.stateKey(w.folder)]; there {
			add(i)
		}
	}
	for _, last := range []id{w.left, t.furthest(own)} {
		for _, i := range t.between(own, last) {
			add(i)
		}
	}
	seen := make(map[string]bool)
	var follow func(id)
	follow = func(at id) {
		if seen[at.own()] {
			return
		}
		seen[at.own()] = true
		for _, c := range t.children(at) {
			add(c)
			follow(c)
		}
	}
	follow(own)
	if _, begun := states[0]; !begun {
		if i, ok := w.engine.firstID(own.uuid, w.repo); ok {
			states[0] = i
		}
	}
	return states
}

// goOn makes the Writer, which has nothing that is not persisted, go on from st.
func (w *Writer) goOn(t *tree, st *state) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if from := w.state.id; from != w.left && t.between(from, w.left) == nil {
		w.left = from
	}
	w.abandoned = append(w.abandoned, w.state.objects(t)...)
	needed := make(map[string]bool)
	for _, o := range st.objects(t) {
		needed[o.Key] = true
	}
	w.abandoned = slices.DeleteFunc(w.abandoned, func(o driver.ObjectRef) bool { return needed[o.Key] })
	if len(w.abandoned) > 0 {
		// The states that follow don't name what was left: after the commit the folder is listed.
		branch := *st
		branch.header.Ancestors, branch.header.MoreAncestors = nil, true
		st = &branch
	}
	w.hash.wait()
	fresh := w.engine.newWriter(w.ctx, w.repo, st, w.request)
	w.state, w.pieces, w.refs, w.size, w.hash = fresh.state, fresh.pieces, fresh.refs, fresh.size, fresh.hash
	w.planned = false
}

// objects are the state, those before it, and its pieces.
func (st *state) objects(t *tree) []driver.ObjectRef {
	var refs []driver.ObjectRef
	for _, i := range st.chain(t) {
		if o, there := t.objects[i.stateKey(st.folder)]; there {
			refs = append(refs, o)
		}
	}
	for _, p := range st.header.Pieces {
		refs = append(refs, driver.ObjectRef{Key: p.Key, Version: p.Version})
	}
	return refs
}

// between are last and the states before it that follow from first; nil when it does not.
func (t *tree) between(first, last id) []id {
	var states []id
	for at, ok := last, last.token != ""; ok && at != first && len(states) < len(t.states); at, ok = t.parent(at) {
		states = append(states, at)
		if at.parent() == first.own() {
			return states
		}
	}
	return nil
}

// isContinued reports whether a state that is not among refs follows from one that is.
func (t *tree) isContinued(refs []driver.ObjectRef) bool {
	among := make(map[string]bool)
	for _, r := range refs {
		among[r.Key] = true
	}
	for key := range t.objects {
		_, token, _ := strings.Cut(strings.TrimPrefix(key, t.folder+statesDir), "-")
		if among[key] || len(token) != tokenLen {
			continue
		}
		if p, ok := t.parent(id{token: token}); ok && among[p.stateKey(t.folder)] {
			return true
		}
	}
	return false
}
