package protocol

// A mark reads tags, revision links and manifests, one after the other, while all else goes on. A
// reference that it misses is one that was made while it ran, by a writer that knows of the tombstone.

func (m *model) markOrder(second bool) []collectorPC {
	order := []collectorPC{mark1Tag0, mark1Tag1, mark1Revisions, mark1Manifests}
	var used []collectorPC
	for _, pc := range order {
		switch {
		case pc == mark1Tag0 && m.Tags < 1,
			pc == mark1Tag1 && m.Tags < 2,
			pc == mark1Revisions && !m.Objects.has(revision):
			continue
		}
		if second {
			pc += mark2Tag0 - mark1Tag0
		}
		used = append(used, pc)
	}
	if second && m.rules.OldTwice {
		used = append(used, mark2Objects)
	}
	return used
}

func (m *model) firstOfMark(second bool) collectorPC { return m.marks[btoi(second)][0] }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *model) afterMark(c *collector, second bool) collectorPC {
	order := m.marks[btoi(second)]
	for i, pc := range order[:len(order)-1] {
		if pc == c.pc {
			return order[i+1]
		}
	}
	switch {
	case !second:
		return cListObjects
	case !m.rules.SecondMarkAfterWait:
		c.marked2 = true
		return cWait
	default:
		return cDecide
	}
}

func (m *model) markSteps(s *State, i int) {
	c := &s.collectors[i]
	second := c.pc >= mark2Tag0
	pc := c.pc
	if second {
		pc -= mark2Tag0 - mark1Tag0
	}
	if c.pc == mark2Objects {
		m.run(s, i, step{what: "lists the objects again, for those that are young now"}, func(s *State, c *collector) {
			for k := range keys {
				if s.objects[k] == young && m.rules.OldOnly {
					c.marked |= setOf(k)
				}
			}
			c.pc = m.afterMark(c, true)
		})
		return
	}
	what := [...]string{
		mark1Tag0:      "reads the tag",
		mark1Tag1:      "reads the second tag",
		mark1Revisions: "reads the revision link",
		mark1Manifests: "reads the manifests that it reached",
	}[pc]
	if second {
		what = "marks again: " + what
	}
	m.run(s, i, step{what: what}, func(s *State, c *collector) {
		m.mark(s, c, pc)
		c.pc = m.afterMark(c, second)
	})
	if !m.rules.ErrorAborts {
		m.run(s, i, step{what: what + ", gets an error, and goes on"}, func(_ *State, c *collector) { c.pc = m.afterMark(c, second) })
	}
}

// mark reads one kind of root, or the manifests that were reached.
func (m *model) mark(s *State, c *collector, pc collectorPC) {
	switch pc {
	case mark1Tag0, mark1Tag1:
		if s.tags[pc-mark1Tag0] {
			c.reach(manifest, revision)
		}
	case mark1Revisions:
		if s.objects[revision] != absent {
			// The policy may condemn the link, but until it is gone it protects what its manifest names.
			if m.rules.RevisionProtects {
				c.reach(manifest)
			}
			if !m.Untagged {
				c.reach(manifest, revision)
			}
		}
	case mark1Manifests:
		if c.image && (!m.Objects.has(manifest) || s.objects[manifest] != absent) {
			c.reach(layer, layerLink)
		}
		c.image = false
	}
}

func (c *collector) reach(ks ...key) {
	c.marked |= setOf(ks...)
	c.image = c.marked.has(manifest)
}
