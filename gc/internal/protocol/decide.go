package protocol

// decideSteps decide on the batch after the second mark, then delete. Where a tombstone was changed by
// another actor, that actor or a later run finishes it.
func (m *model) decideSteps(s *State, i int) {
	c := &s.collectors[i]
	for j := range m.Tombstones {
		if !c.todo.has(j) {
			continue
		}
		t := &s.tombs[j]
		blind := !m.rules.ConditionalWrites
		switch {
		case !c.held.has(j) && !blind:
			m.run(s, i, step{what: "finds a tombstone of its batch changed by another"}, func(_ *State, c *collector) { m.drop(c, j) })
		case t.state == deleting || blind && t.state != condemned && t.state != noTomb:
			m.run(s, i, step{what: "goes on with the deletion of", on: t.key, obj: true}, func(s *State, c *collector) { m.aim(s, c, j) })
		case t.state == noTomb:
			m.run(s, i, step{what: "finds a tombstone of its batch gone"}, func(_ *State, c *collector) { m.drop(c, j) })
		case c.marked.has(t.key) && !m.rules.RescueBeforeRemoval:
			m.run(s, i, step{what: "removes, as it found it referenced, the tombstone of", on: t.key, obj: true}, func(s *State, c *collector) {
				c.ended |= 1 << j
				m.drop(c, j)
			})
		case c.marked.has(t.key):
			m.run(s, i, step{what: "rescues, as it found it referenced,", on: t.key, obj: true}, func(s *State, c *collector) {
				m.change(s, j, rescued)
				c.ended |= 1 << j
				m.drop(c, j)
			})
		default:
			m.run(s, i, step{what: "found no reference, and begins to delete", on: t.key, obj: true}, func(s *State, c *collector) {
				m.change(s, j, deleting)
				c.held |= 1 << j
				m.aim(s, c, j)
			})
		}
	}
}

// drop is done with a tombstone.
func (m *model) drop(c *collector, slot int) {
	c.todo &^= 1 << slot
	c.held &^= 1 << slot
	m.decideNext(c)
}

// decideNext goes on with the batch, and, when the batch is dealt with, with what is to be removed.
func (m *model) decideNext(c *collector) {
	c.slot, c.target, c.aimed, c.signed, c.pc = 0, 0, false, 0, cDecide
	if c.todo == 0 {
		c.marked, c.image = 0, false
		m.cleanNext(c)
	}
}

func (m *model) cleanNext(c *collector) {
	c.pc = cClean
	if c.ended == 0 {
		*c = collector{left: c.left}
	}
}

// cleanSteps remove tombstones that were seen to be finished.
func (m *model) cleanSteps(s *State, i int) {
	for j := range m.Tombstones {
		if s.collectors[i].ended.has(j) {
			m.run(s, i, step{what: "removes a tombstone that it saw finished"}, func(s *State, c *collector) {
				m.unlist(s, j)
				c.ended &^= 1 << j
				m.cleanNext(c)
			})
		}
	}
}
