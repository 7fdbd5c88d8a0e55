package protocol

// create puts an object where there was none, or a new version of one.
func (m *model) create(s *State, k key) {
	s.objects[k] = young
	if m.Versioned {
		m.newVersion(s, k)
	}
}

// remove takes an object away.
func (m *model) remove(s *State, k key) {
	s.objects[k] = absent
	if m.Versioned {
		m.newVersion(s, k)
	}
}

// newVersion has all that is known of the version of k speak of a version of the past. Deletions on
// their way name that version, too.
func (m *model) newVersion(s *State, k key) {
	if m.rules.ExactVersion {
		s.late[k] = 0
	}
	for i := range s.tombs {
		if s.tombs[i].key == k {
			s.tombs[i].current = false
		}
	}
	for i := range s.writers {
		s.writers[i].dead &^= setOf(k)
	}
	for i := range s.collectors {
		c := &s.collectors[i]
		c.fresh &^= setOf(k)
		c.aimed = c.aimed && c.target != k
	}
}

// condemn creates a tombstone in a free slot.
func (m *model) condemn(s *State, slot int, k key, current bool) {
	s.tombs[slot] = tombstone{state: condemned, key: k, current: current || !m.Versioned}
	if m.rules.UniqueNames {
		m.forget(s, slot)
	}
}

// change writes a tombstone. Nobody's earlier read of it can be the condition of a later write.
func (m *model) change(s *State, slot int, to tombState) {
	s.tombs[slot].state = to
	for i := range s.writers {
		s.writers[i].held &^= 1 << slot
	}
	for i := range s.collectors {
		s.collectors[i].held &^= 1 << slot
	}
}

// renew writes a new NotAfter.
func (m *model) renew(s *State, slot int) {
	t := &s.tombs[slot]
	if t.notAfter == m.clock.deletion {
		return // the same bytes, so the same ETag
	}
	t.notAfter = m.clock.deletion
	m.change(s, slot, deleting)
}

// unlist removes a tombstone.
func (m *model) unlist(s *State, slot int) {
	s.tombs[slot] = tombstone{}
	m.change(s, slot, noTomb)
	if m.rules.UniqueNames {
		m.forget(s, slot)
	}
}

// forget has nobody remember the tombstone that was in a slot: a new one has another name.
func (m *model) forget(s *State, slot int) {
	for i := range s.collectors {
		s.collectors[i].ended &^= 1 << slot
	}
}

// named returns the objects that are condemned, or whose current version is being deleted, by one of
// some tombstones, and which tombstones these are.
func (m *model) named(s *State, state tombState, among keySet, in slotSet) (ks keySet, slots slotSet) {
	for i := range m.Tombstones {
		if t := &s.tombs[i]; in.has(i) && t.state == state && among.has(t.key) {
			if state == deleting && !t.current {
				continue
			}
			ks |= setOf(t.key)
			slots |= 1 << i
		}
	}
	return ks, slots
}

const allTombs = slotSet(1<<maxTombstones - 1)

// pages returns what a list of tombstones may show: all, or, where the caller doesn't read on after the
// first page, some of them.
func (m *model) pages(all bool) []slotSet {
	if all {
		return []slotSet{allTombs}
	}
	return []slotSet{1, 2}
}
