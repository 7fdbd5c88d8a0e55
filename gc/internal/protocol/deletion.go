package protocol

// aim begins the deletion of the version that a tombstone names.
func (m *model) aim(s *State, c *collector, slot int) {
	t := &s.tombs[slot]
	c.slot, c.target, c.aimed, c.pc = uint8(slot), t.key, t.current, m.attempt()
}

// attempt is how an attempt to delete begins.
func (m *model) attempt() collectorPC {
	if m.Versioned {
		return cSend
	}
	return cRenew
}

// deleteSteps delete the version that the tombstone in c.slot names.
func (m *model) deleteSteps(s *State, i int) {
	c := &s.collectors[i]
	j := int(c.slot)
	t := &s.tombs[j]
	drop := func(_ *State, c *collector) { m.drop(c, j) }
	blind := !m.rules.ConditionalWrites
	if t.state == noTomb && (c.pc == cRenew || c.pc == cDone) {
		m.run(s, i, step{what: "finds its tombstone gone"}, drop)
		return
	}
	k := c.target
	switch c.pc {
	case cRenew:
		switch {
		case !m.rules.Renews:
			m.run(s, i, step{what: "signs anew a deletion of", on: k, obj: true}, func(_ *State, c *collector) { c.signed, c.pc = m.clock.deletion, cSend })
		case !c.held.has(j) && !blind:
			m.run(s, i, step{what: "finds its tombstone changed by another"}, drop)
		default:
			m.run(s, i, step{what: "renews the tombstone, and signs until its NotAfter a deletion of", on: k, obj: true}, func(s *State, c *collector) {
				m.renew(s, j)
				c.held |= 1 << j
				c.signed, c.pc = m.clock.deletion, cSend
			})
		}
	case cSend:
		m.run(s, i, step{what: "sends the deletion of", on: k, obj: true}, func(s *State, c *collector) {
			c.pc = cConfirm
			switch {
			case m.Versioned && m.rules.ExactVersion && !c.aimed:
			case m.Versioned || !m.rules.SignatureExpires:
				s.late[k] = never
			default:
				s.late[k] = max(s.late[k], c.signed)
			}
		})
	case cConfirm:
		gone := s.objects[k] == absent || m.Versioned && !c.aimed
		if !gone && m.rules.ConfirmsAbsence {
			m.run(s, i, step{what: "finds still there", on: k, obj: true}, func(_ *State, c *collector) { c.pc = m.attempt() })
			return
		}
		m.run(s, i, step{what: "finds gone", on: k, obj: true}, func(_ *State, c *collector) { c.pc = cDone })
	case cDone:
		switch {
		case c.signed > 0 && m.rules.DoneAfterNotAfter:
			// It waits until NotAfter.
		case !c.held.has(j) && !blind && (m.rules.DoneOwnGeneration || t.state != deleting):
			m.run(s, i, step{what: "finds its tombstone changed by another"}, drop)
		default:
			m.run(s, i, step{what: "sets done the tombstone of", on: k, obj: true}, func(s *State, c *collector) {
				m.change(s, j, done)
				c.ended |= 1 << j
				drop(s, c)
			})
		}
	}
}
