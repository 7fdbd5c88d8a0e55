package protocol

// acquired are the objects about which the push makes a promise before the manifest comes.
func (m *model) acquired(w *writer) keySet {
	if !m.Index {
		return m.Objects & setOf(layer, layerLink)
	}
	if w.sighted && m.rules.FastChildren {
		return m.closure()
	}
	return m.Objects & setOf(manifest, revision)
}

func (m *model) beginPush(s *State, i int) {
	w := &s.writers[i]
	if w.left == 0 {
		return
	}
	for md := head; md <= blind; md++ {
		if m.Modes&(1<<md) == 0 {
			continue
		}
		if md == blind {
			m.local(s, i, pushes[md], func(w *writer) {
				left := spend(w.left)
				*w = w.idle()
				w.left, w.pc = left, wReady
			})
			continue
		}
		start := func(w *writer) {
			left := spend(w.left)
			*w = w.idle()
			w.left, w.mode = left, md
		}
		if m.rules.HitReads && m.rules.ReadBeforeStat {
			m.call(s, i, pushes[md]+", and reads tombstones", nil, func(s *State, w *writer) {
				start(w)
				m.acquireRead(s, w)
			})
		} else {
			m.local(s, i, pushes[md]+", and reads no tombstones", func(w *writer) {
				start(w)
				m.begin(w, wLook)
			})
		}
		sighting := writer{sighted: true}
		inTime := w.list <= m.clock.stale
		if m.Fast && inTime && w.listed&m.acquired(&sighting) == 0 {
			m.local(s, i, pushes[md]+", with nothing on its list of tombstones", func(w *writer) {
				start(w)
				w.sighted, w.t0 = true, w.list
				m.begin(w, wLook)
			})
		}
	}
}

func (m *model) acquireSteps(s *State, i int) {
	w := &s.writers[i]
	switch w.pc {
	case wRead:
		m.call(s, i, "reads the tombstones", nil, m.acquireRead)
	case wRescue:
		if m.rules.ReadBeforeStat {
			m.rescueSteps(s, i, wRead, wLook)
		} else {
			m.rescueSteps(s, i, wRead, wAnswer)
		}
	case wLook:
		m.lookSteps(s, i)
	case wWait:
		m.waitSteps(s, i, wRead)
	case wAnswer:
		m.answerSteps(s, i)
	}
}

func (m *model) acquireRead(s *State, w *writer) {
	w.sighted = false
	m.readTombs(s, w, digests(m.acquired(w)), allTombs)
	w.t0 = 0
	if !m.rules.DeletingIsAbsent {
		w.dead = 0
	}
	switch {
	case w.todo != 0 && m.rules.HitRescues:
		w.pc = wRescue
		return
	case m.rules.ReadBeforeStat:
		m.begin(w, wLook)
	default:
		m.begin(w, wAnswer)
	}
	w.todo, w.held = 0, 0
}

// lookSteps look at one object, or put it.
func (m *model) lookSteps(s *State, i int) {
	w := &s.writers[i]
	k := w.cur
	next := func(w *writer, created bool) {
		if created {
			w.created |= setOf(k)
		}
		if n, ok := after(m.acquired(w), k); ok {
			w.cur = n
			return
		}
		m.begin(w, wAnswer)
		if !m.rules.ReadBeforeStat && !w.sighted {
			m.begin(w, wRead)
		}
	}
	if w.mode == upload || w.mode == mount && k == layerLink {
		m.publish(s, i, k, wWait, func(_ *State, w *writer, created bool) { next(w, created) })
		return
	}
	m.callOn(s, i, step{what: "looks at", on: k, obj: true}, nil, func(s *State, w *writer) {
		if s.objects[k] == absent || w.dead.has(k) {
			*w = w.idle() // 404, or 503: nothing is promised
			return
		}
		next(w, false)
	})
}

func (m *model) answerSteps(s *State, i int) {
	w := &s.writers[i]
	fresh := w.created == m.acquired(w)
	switch {
	case w.t0 > m.clock.stale && m.rules.AnswerBound:
		m.local(s, i, "finds its knowledge of tombstones too old to answer", func(w *writer) {
			m.begin(w, wRead)
		})
	default:
		m.local(s, i, "promises that the content will be there", func(w *writer) {
			promised := m.acquired(w)
			n := w.idle()
			n.sighted, n.t0 = w.sighted, w.t0
			n.promised, n.fresh = promised, fresh
			n.pc = wReady
			*w = n
		})
	}
}
