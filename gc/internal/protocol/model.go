package protocol

import (
	"fmt"
	"hash/maphash"
)

// model is a protocol within bounds. It computes the steps that are possible in a state.
type model struct {
	Bounds
	rules Rules
	clock clock
	marks [2][]collectorPC // the steps of the first and of the second mark
	seed  maphash.Seed
	lone  map[uint64]bool // whether a collector alone cleans up, of states that were tried
	next  []successor
}

type successor struct {
	state State
	step  step
}

// step says in a few words what happened between two states.
type step struct {
	who  role
	i    uint8
	what string
	on   key  // of the object that the step is about
	obj  bool // the step is about an object
	lost bool // the effect happened, the reply was lost, and the caller will repeat the call
}

type role uint8

const (
	environment role = iota
	writerRole
	collectorRole
)

func (t step) String() string {
	s := t.what
	if t.obj {
		s += " " + t.on.String()
	}
	if t.lost {
		s += "; the reply is lost, and the call will be repeated"
	}
	switch t.who {
	case writerRole:
		return fmt.Sprintf("writer %d: %s", t.i+1, s)
	case collectorRole:
		return fmt.Sprintf("collector %d: %s", t.i+1, s)
	default:
		return s
	}
}

func newModel(b Bounds, r Rules) *model {
	if b.Index {
		b.Modes = setOfModes(head) // manifests are not mounted, and the push of an index brings no image
	}
	m := &model{Bounds: b, rules: r, clock: b.clock(r), seed: maphash.MakeSeed(), lone: make(map[uint64]bool)}
	m.marks = [2][]collectorPC{m.markOrder(false), m.markOrder(true)}
	return m
}

// initial returns the states in which it all begins.
func (m *model) initial() []State {
	var s State
	for k := range keys {
		if m.Objects.has(k) {
			s.objects[k] = old
		}
	}
	for i := range m.Writers {
		s.writers[i] = writer{list: never, left: budget(m.Pushes)}
	}
	for i := range m.Collectors {
		s.collectors[i] = collector{left: budget(m.Runs)}
	}
	all := []State{s}
	if m.Missing != 0 {
		for k := range keys {
			if m.Missing.has(k) {
				s.objects[k] = absent
			}
		}
		all = append(all, s)
	}
	return all
}

// unlimited is the budget of an actor that may go on for ever.
const unlimited = 15

func budget(n int) uint8 {
	if n == 0 {
		return unlimited
	}
	return uint8(n)
}

func spend(left uint8) uint8 {
	if left == unlimited {
		return left
	}
	return left - 1
}

// successors returns the states that one step leads to. The slice is valid until the next call.
func (m *model) successors(s *State) []successor {
	m.next = m.next[:0]
	for i := range m.Writers {
		m.writerSteps(s, i)
	}
	for i := range m.Collectors {
		m.collectorSteps(s, i)
	}
	m.environmentSteps(s)
	return m.next
}

func (m *model) emit(s State, t step) { m.next = append(m.next, successor{s, t}) }

// own are the objects that the PUT of the top manifest writes.
func (m *model) own() keySet {
	if m.Index {
		return 0 // the index's own blob and link are not modelled
	}
	return m.Objects & setOf(manifest, revision)
}

// closure are the objects that the top manifest needs and that its PUT doesn't write.
func (m *model) closure() keySet { return m.Objects &^ m.own() }

// digests are the objects with the same digests as those in ks. Tombstones are listed by digest.
func digests(ks keySet) keySet {
	var all keySet
	if ks&setOf(layer, layerLink) != 0 {
		all |= setOf(layer, layerLink)
	}
	if ks&setOf(manifest, revision) != 0 {
		all |= setOf(manifest, revision)
	}
	return all
}
