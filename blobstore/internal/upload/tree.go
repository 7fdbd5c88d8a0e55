package upload

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// tree is the states of one upload, as their names tell them.
type tree struct {
	folder  string
	ended   bool
	states  map[string]id   // by the own half of the token
	after   map[string][]id // by the parent's half
	objects map[string]driver.ObjectRef
}

// tree lists the states of an upload.
func (e *Engine) tree(ctx context.Context, folder, uuid string) (*tree, error) {
	t := &tree{folder: folder, states: make(map[string]id), after: make(map[string][]id), objects: make(map[string]driver.ObjectRef)}
	for entry, err := range driver.List(ctx, e.bucket, driver.ListRequest{Prefix: t.folder + statesDir}) {
		if err != nil {
			return nil, err
		}
		if entry.Key == endKey(t.folder) {
			t.ended = true
		}
		if i, ok := parseStateKey(t.folder, uuid, entry.Key); ok {
			t.states[i.own()] = i
			t.after[i.parent()] = append(t.after[i.parent()], i)
			t.objects[entry.Key] = refOf(entry.Object)
		}
	}
	return t, nil
}

func (t *tree) remove(key string) {
	for own, i := range t.states {
		if i.stateKey(t.folder) == key {
			delete(t.states, own)
			t.after[i.parent()] = slices.DeleteFunc(t.after[i.parent()], func(c id) bool { return c == i })
		}
	}
	delete(t.objects, key)
}

// children are the states that follow i.
func (t *tree) children(i id) []id { return t.after[i.own()] }

// parent is the state that i follows, if it is still there.
func (t *tree) parent(i id) (id, bool) {
	p, ok := t.states[i.parent()]
	return p, ok
}

// furthest is the state with the most bytes among i and those that follow it.
func (t *tree) furthest(i id) id {
	best := i
	seen := map[string]bool{}
	var walk func(id)
	walk = func(at id) {
		if seen[at.own()] {
			return
		}
		seen[at.own()] = true
		if at.offset > best.offset {
			best = at
		}
		for _, c := range t.children(at) {
			walk(c)
		}
	}
	walk(i)
	return best
}

// Progress is how far an upload has got.
type Progress struct {
	ID      string // to go on from
	Size    int64  // bytes
	Started time.Time
}

// Status tells how far the upload has got that an id names: the furthest of the states
// that follow from the id's. ErrUnknown when there is none, or no longer.
func (e *Engine) Status(ctx context.Context, repo, name string) (Progress, error) {
	i, err := e.parseID(name, repo)
	if err != nil {
		return Progress{}, err
	}
	if i.first() && e.tooOld(i.started()) {
		return Progress{}, ErrUnknown
	}
	t, err := e.tree(ctx, e.folder(repo, i.uuid), i.uuid)
	if err != nil {
		return Progress{}, fmt.Errorf("upload %s: %w", i.uuid, err)
	}
	_, there := t.objects[i.stateKey(t.folder)]
	if t.ended || !i.first() && !there {
		return Progress{}, ErrUnknown
	}
	best := t.furthest(i)
	return Progress{ID: best.String(), Size: best.offset, Started: i.started()}, nil
}
