package protocol

// environmentSteps are what happens without a writer or a collector: time passes, requests that are on
// their way arrive, clients delete and move.
func (m *model) environmentSteps(s *State) {
	m.tickSteps(s)
	for k := range keys {
		if !m.Objects.has(k) {
			continue
		}
		if s.late[k] > 0 && s.objects[k] != absent {
			n := *s
			m.remove(&n, k)
			if k == revision && m.Untagged && !s.acked[0] && !s.acked[1] {
				n.revAcked = false // the policy wants it
			}
			m.emit(n, step{what: "the store executes a deletion of", on: k, obj: true})
		}
		if s.objects[k] == young && !m.keptYoung(s, k) {
			n := *s
			n.objects[k] = old
			m.emit(n, step{what: "G passes for", on: k, obj: true})
		}
	}
	if m.Dangling && s.objects[revision] == absent {
		n := *s
		m.create(&n, revision)
		m.emit(n, step{what: "a push of the image that was given up writes its revision link after all"})
	}
	if m.Mover {
		m.moverSteps(s)
	}
}

// keptYoung reports whether a push counts on k being younger than G. A push lasts no longer.
func (m *model) keptYoung(s *State, k key) bool {
	for i := range s.writers {
		w := &s.writers[i]
		if w.created.has(k) || w.fresh && w.promised.has(k) {
			return true
		}
	}
	return false
}

func (m *model) moverSteps(s *State) {
	for t := range s.tags {
		if s.tags[t] {
			n := *s
			n.tags[t], n.acked[t] = false, false
			m.emit(n, step{what: "a client moves the tag away, or deletes it"})
		}
	}
	if !m.Index && m.Objects.has(revision) && s.objects[revision] != absent {
		n := *s
		m.remove(&n, revision)
		n.revAcked = false
		for i := range n.writers {
			n.writers[i].undone = m.inPut(&n.writers[i])
		}
		m.emit(n, step{what: "a client deletes the manifest from the repository"})
	}
}

// inPut reports whether the writer has the manifest.
func (m *model) inPut(w *writer) bool { return w.pc > wReady }

const passes = "time passes"

// tickSteps let time pass.
func (m *model) tickSteps(s *State) {
	n := *s
	for i := range m.Writers {
		w := &n.writers[i]
		if w.list != never {
			w.list = min(w.list+1, m.clock.bound+1)
		}
		switch {
		case w.sighted, w.pc >= wRead && w.pc <= wAnswer, w.pc > wReady:
			w.t0 = min(w.t0+1, m.clock.bound+1)
		}
		if w.promised != 0 && !w.fresh {
			w.promise = min(w.promise+1, m.clock.bound+1)
		}
	}
	for i := range m.Collectors {
		c := &n.collectors[i]
		if c.pc == cCreate || c.pc == cWait || !m.rules.SecondMarkAfterWait && c.pc >= mark2Tag0 && c.pc <= mark2Objects {
			c.waited = min(c.waited+1, m.clock.wait)
		}
		c.signed -= min(c.signed, 1)
	}
	for j := range n.tombs {
		n.tombs[j].notAfter -= min(n.tombs[j].notAfter, 1)
	}
	for k := range n.late {
		if n.late[k] != never {
			n.late[k] -= min(n.late[k], 1)
		}
	}
	m.emit(n, step{what: passes})
	if !m.rules.AllClocks {
		suspended := false
		for i := range m.Writers {
			w := &n.writers[i]
			suspended = suspended || w.t0 != s.writers[i].t0
			w.t0 = s.writers[i].t0
		}
		if suspended {
			m.emit(n, step{what: "time passes, and the clocks of the replicas stand still"})
		}
	}
}
