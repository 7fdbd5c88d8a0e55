package protocol

// beginPut has the manifest come. The fast path knows from the replica's list that no tombstone
// concerns it, and has sighted the content; the slow path lists, rescues and looks first. From there
// on both write the manifest and its references, and check at the end that all of it took place before
// a tombstone which they cannot know of could have led to a deletion.
func (m *model) beginPut(s *State, i int) {
	w := &s.writers[i]
	if m.Slow {
		for _, page := range m.pages(m.rules.SlowListAllPages) {
			m.call(s, i, "gets the manifest, takes the slow path, and lists the tombstones", nil, func(s *State, w *writer) {
				m.toSlow(w)
				m.putList(s, w, page)
			})
		}
	}
	if !m.Fast || w.list == never {
		return
	}
	content := m.closure()
	if !m.rules.FastChildren {
		content = m.acquired(w)
	}
	if m.rules.FastOwn {
		content |= m.own()
	}
	if w.listed&digests(content) != 0 {
		return
	}
	var t0 uint8
	switch {
	case !m.rules.StatAfterT0, m.closure() == 0:
		t0 = w.list
	case !w.sighted:
		return
	case !m.rules.OldestT0:
		t0 = min(w.t0, w.list)
	default:
		t0 = max(w.t0, w.list)
	}
	m.local(s, i, "gets the manifest, and takes the fast path", func(w *writer) {
		w.t0 = t0
		m.begin(w, putBlob)
	})
}

func (m *model) toSlow(w *writer) {
	w.sighted, w.t0, w.todo, w.held, w.dead = false, 0, 0, 0, 0
	w.pc = putList
}

func (m *model) putSteps(s *State, i int) {
	w := &s.writers[i]
	late := w.t0 > m.clock.bound
	switch w.pc {
	case putList:
		for _, page := range m.pages(m.rules.SlowListAllPages) {
			m.call(s, i, "lists the tombstones anew", nil, func(s *State, w *writer) { m.putList(s, w, page) })
		}
	case putRescue:
		m.rescueSteps(s, i, putList, putVerify)
	case putVerify:
		m.verifySteps(s, i)
	case putFail:
		m.putFail(s, i, late)
	case putWait:
		m.waitSteps(s, i, putList)
	case putBlob:
		// Blob and link are put in parallel: either may come first.
		m.publish(s, i, manifest, putWait, func(_ *State, w *writer, _ bool) { m.begin(w, putRevision) })
		if m.own().has(revision) {
			m.publish(s, i, revision, putWait, func(_ *State, w *writer, _ bool) { w.undone, w.pc = false, putBlobLast })
		}
	case putBlobLast:
		m.publish(s, i, manifest, putWait, func(_ *State, w *writer, _ bool) { w.pc = m.afterRevision() })
	case putRevision:
		m.publish(s, i, revision, putWait, func(_ *State, w *writer, _ bool) {
			w.undone, w.pc = false, m.afterRevision()
		})
	case putTag:
		m.call(s, i, "writes the tag", func(s *State) { s.tags[m.tagOf(i)] = true }, func(_ *State, w *writer) { w.pc = putCheck })
	case putCheck:
		if late && m.rules.CheckAfterTag {
			m.local(s, i, "finds, after the last reference was acknowledged, that it took too long, and begins anew on the slow path", m.toSlow)
			return
		}
		n := *s
		m.answer201(&n, i)
		n.writers[i] = n.writers[i].idle()
		m.emit(n, step{who: writerRole, i: uint8(i), what: "answers 201 to the manifest PUT"})
	}
}

// afterRevision is the tag, or, where the manifest is pushed by digest, the check: the revision link is
// the reference then.
func (m *model) afterRevision() writerPC {
	if m.Tags == 0 {
		return putCheck
	}
	return putTag
}

func (m *model) putList(s *State, w *writer, page slotSet) {
	among := m.Objects
	if !m.rules.SlowOwn {
		among &^= m.own()
	}
	if !m.rules.SlowChildren && m.Index {
		among &^= setOf(layer, layerLink)
	}
	w.t0 = 0
	w.inTime = w.promised != 0 && (w.fresh || w.promise <= m.clock.bound)
	m.readTombs(s, w, among, page)
	if !m.rules.SlowRescues {
		w.todo, w.held = 0, 0
	}
	if w.todo != 0 {
		w.pc = putRescue
		return
	}
	m.begin(w, putVerify)
}

// verified are the objects that the slow path looks at.
func (m *model) verified() keySet {
	switch {
	case !m.rules.SlowVerifies:
		return 0
	case !m.rules.VerifyLinks:
		return m.closure() &^ setOf(layerLink)
	default:
		return m.closure()
	}
}

func (m *model) verifySteps(s *State, i int) {
	k := s.writers[i].cur
	m.callOn(s, i, step{what: "verifies", on: k, obj: true}, nil, func(s *State, w *writer) {
		if s.objects[k] == absent || w.dead.has(k) && m.rules.SlowDeletingIsAbsent {
			w.pc = putFail
			return
		}
		if n, ok := after(m.verified(), k); ok {
			w.cur = n
			return
		}
		m.begin(w, putBlob)
	})
}

// putFail answers 404. What was written stays: another PUT may have made the same references.
func (m *model) putFail(s *State, i int, late bool) {
	n := *s
	w := &n.writers[i]
	if w.inTime && !late && w.promised.has(w.cur) {
		n.broken = PromiseKept
	}
	if !m.rules.FailRemovesNothing {
		for k := range keys {
			if m.own().has(k) {
				m.remove(&n, k)
			}
		}
	}
	*w = w.idle()
	m.emit(n, step{who: writerRole, i: uint8(i), what: "answers 404 to the manifest PUT, for want of", on: s.writers[i].cur, obj: true})
}
