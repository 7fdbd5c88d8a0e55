package protocol

import "hash/maphash"

// canonical returns the state that stands for all states that differ only in the names of equal
// actors and tombstones, and its hash: among those states it has the lowest.
func (m *model) canonical(s State) (State, uint64) {
	m.sortActors(&s)
	h := maphash.Comparable(m.seed, s)
	if m.Tombstones < 2 {
		return s, h
	}
	t := swapTombs(s)
	m.sortActors(&t)
	if g := maphash.Comparable(m.seed, t); g < h {
		return t, g
	}
	return s, h
}

func (m *model) sortActors(s *State) {
	// Writers to two tags are not equal.
	if w := &s.writers; m.Writers > 1 && m.Tags < 2 && maphash.Comparable(m.seed, w[0]) > maphash.Comparable(m.seed, w[1]) {
		w[0], w[1] = w[1], w[0]
	}
	if c := &s.collectors; m.Collectors > 1 && maphash.Comparable(m.seed, c[0]) > maphash.Comparable(m.seed, c[1]) {
		c[0], c[1] = c[1], c[0]
	}
}

func swapTombs(s State) State {
	s.tombs[0], s.tombs[1] = s.tombs[1], s.tombs[0]
	for i := range s.writers {
		w := &s.writers[i]
		w.todo, w.held = w.todo.swap(), w.held.swap()
	}
	for i := range s.collectors {
		c := &s.collectors[i]
		c.todo, c.held, c.ended = c.todo.swap(), c.held.swap(), c.ended.swap()
		if c.pc.ofSlot() {
			c.slot = 1 - c.slot
		}
	}
	return s
}

func (s slotSet) swap() slotSet { return s&1<<1 | s>>1 }
