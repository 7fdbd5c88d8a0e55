package protocol

// collector is one run of the garbage collector. An error of the store ends a run as its death does.
type collector struct {
	pc   collectorPC
	left uint8 // runs

	marked  keySet // what the mark has found referenced
	image   bool   // the mark reached the image manifest, and will read it
	garbage keySet // unreferenced and older than G
	fresh   keySet // of garbage, objects whose version is still the one that was listed

	todo  slotSet // tombstones of this run's batch
	held  slotSet // tombstones that are as they were when this run read or wrote them
	ended slotSet // tombstones to remove: seen to be rescued or done
	slot  uint8   // tombstone whose object is being deleted

	target key  // that object
	aimed  bool // its version is still the one that is being deleted

	waited   uint8 // since the acknowledgement of the batch's last creation or adoption
	signed   uint8 // ticks until the signature of this run's own deletion expires
	marked2  bool  // only without SecondMarkAfterWait: the second mark is over
	creating bool  // only without WaitFromAck: the creation is sent
}

type collectorPC uint8

const (
	cIdle collectorPC = iota
	mark1Tag0
	mark1Tag1
	mark1Revisions
	mark1Manifests
	cListObjects
	cAdopt
	cCreate
	cWait
	mark2Tag0
	mark2Tag1
	mark2Revisions
	mark2Manifests
	mark2Objects
	cDecide
	cRenew
	cSend
	cConfirm
	cDone
	cClean
)

// ofSlot reports whether the collector works at one tombstone.
func (pc collectorPC) ofSlot() bool { return pc >= cRenew && pc <= cDone }

// run is a step of a collector; change may change the whole state.
func (m *model) run(s *State, i int, t step, change func(*State, *collector)) {
	t.who, t.i = collectorRole, uint8(i)
	n := *s
	change(&n, &n.collectors[i])
	m.emit(n, t)
}

func (m *model) collectorSteps(s *State, i int) {
	c := &s.collectors[i]
	if m.Crashes && c.pc != cIdle {
		m.run(s, i, step{what: "dies, or is ended by an error of the store"}, func(_ *State, c *collector) { *c = collector{left: c.left} })
	}
	switch c.pc {
	case cIdle:
		if c.left > 0 {
			n := *s
			n.collectors[i] = collector{left: spend(c.left), pc: m.firstOfMark(false)}
			m.markSteps(&n, i)
		}
	case cListObjects:
		m.run(s, i, step{what: "lists the objects that are old"}, m.listObjects)
	case cAdopt:
		m.run(s, i, step{what: "lists the tombstones, and adopts those that are unfinished"}, m.adopt)
	case cCreate:
		m.createSteps(s, i)
	case cWait:
		if c.waited >= m.clock.wait || !m.rules.Waits {
			m.run(s, i, step{what: "has waited"}, func(_ *State, c *collector) { m.endWait(c) })
		}
	case cDecide:
		m.decideSteps(s, i)
	case cRenew, cSend, cConfirm, cDone:
		m.deleteSteps(s, i)
	case cClean:
		m.cleanSteps(s, i)
	default:
		m.markSteps(s, i)
	}
}

func (m *model) listObjects(s *State, c *collector) {
	c.garbage = 0
	for k := range keys {
		if !m.Objects.has(k) || c.marked.has(k) || s.objects[k] == absent {
			continue
		}
		if s.objects[k] == old || !m.rules.OldOnly {
			c.garbage |= setOf(k)
		}
	}
	c.fresh = c.garbage
	c.marked, c.image = 0, false
	c.pc = cAdopt
}

// adopt takes over what other runs left, or are at work at: which of them, it cannot know.
func (m *model) adopt(s *State, c *collector) {
	for j := range m.Tombstones {
		t := &s.tombs[j]
		switch {
		case t.state == noTomb:
		case t.state.terminal():
			c.ended |= 1 << j
		case m.rules.Adopts:
			c.todo |= 1 << j
			c.held |= 1 << j
			c.garbage &^= setOf(t.key)
		}
	}
	c.fresh &= c.garbage
	c.pc = cCreate
	c.waited = 0
	if !m.rules.AdoptionWaits {
		c.waited = m.clock.wait
	}
	if c.garbage == 0 {
		m.endCreation(s, c)
	}
}

// createSteps condemn what is garbage, as far as tombstones go.
func (m *model) createSteps(s *State, i int) {
	c := &s.collectors[i]
	room := false
	for j := range m.Tombstones {
		room = room || s.tombs[j].state == noTomb
	}
	if !room {
		m.run(s, i, step{what: "has as many tombstones as there may be"}, func(s *State, c *collector) {
			c.garbage, c.fresh = 0, 0
			m.endCreation(s, c)
		})
		return
	}
	if !m.rules.WaitFromAck && !c.creating {
		m.run(s, i, step{what: "sends a tombstone, and begins to wait"}, func(_ *State, c *collector) { c.creating, c.waited = true, 0 })
		return
	}
	k := c.garbage.first()
	for slot := range m.Tombstones {
		if s.tombs[slot].state != noTomb {
			continue
		}
		m.run(s, i, step{what: "condemns", on: k, obj: true}, func(s *State, c *collector) {
			m.condemn(s, slot, k, c.fresh.has(k))
			if (m.rules.WaitFromLast || c.todo == 0) && m.rules.WaitFromAck {
				c.waited = 0
			}
			c.todo |= 1 << slot
			c.held |= 1 << slot
			c.creating = false
			c.garbage &^= setOf(k)
			c.fresh &= c.garbage
			if c.garbage == 0 {
				m.endCreation(s, c)
			}
		})
	}
}

func (m *model) endCreation(s *State, c *collector) {
	undecided := false
	for j := range m.Tombstones {
		undecided = undecided || c.todo.has(j) && s.tombs[j].state == condemned
	}
	switch {
	case !undecided:
		c.waited = 0
		m.decideNext(c)
	case !m.rules.SecondMarkAfterWait:
		c.pc = m.firstOfMark(true)
	default:
		c.pc = cWait
	}
}

func (m *model) endWait(c *collector) {
	c.waited = 0
	switch {
	case !m.rules.SecondMark, !m.rules.SecondMarkAfterWait && c.marked2:
		m.decideNext(c)
	default:
		c.pc = m.firstOfMark(true)
	}
}
