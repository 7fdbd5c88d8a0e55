package protocol

// writer is a replica of the registry with one push: it makes a promise about what the manifest will
// need (acquire.go), and later gets the manifest (put.go).
type writer struct {
	pc   writerPC
	left uint8 // pushes

	// The replica's list of tombstones.
	list    uint8  // age of its t0, which was taken before the request
	listing bool   // t0 is taken, the reply is awaited
	listed  keySet // digests that have an unfinished tombstone

	// Acquisition.
	mode    mode
	cur     key
	todo    slotSet // condemned tombstones to rescue
	held    slotSet // tombstones that are as they were when they were read
	dead    keySet  // objects whose current version a deleting tombstone names
	t0      uint8   // age of the oldest knowledge of tombstones
	sighted bool
	created keySet // objects that were not there before this push

	// The promise: these objects will be there when the manifest comes.
	promised keySet
	promise  uint8 // its age
	fresh    bool  // all of it was created, so that it is kept as long as it is younger than G

	// The manifest PUT.
	inTime bool // the tombstones were listed while the promise held
	undone bool // a client deleted the manifest since this PUT wrote its revision link
}

type writerPC uint8

const (
	wIdle writerPC = iota
	wRead
	wRescue
	wLook
	wWait
	wAnswer
	wReady
	putList // here the slow path begins
	putRescue
	putVerify
	putFail
	putWait
	putBlob // here the fast path joins in
	putRevision
	putBlobLast // the revision link came first
	putTag
	putCheck
)

// mode is how a client has a layer be in the repository.
type mode uint8

const (
	head   mode = iota // HEAD of the blob in the repository
	mount              // link to a blob that is there, of another repository or of a body that was hashed, not sent
	upload             // upload with a Put that fails if the object exists
	blind              // the client asks for nothing, and is promised nothing
)

// pushes are how a push begins, in words.
var pushes = [...]string{"begins a push by HEAD", "begins a push by mount or digest hit", "begins a push by upload", "begins a push of a manifest alone"}

type modeSet uint8

func setOfModes(ms ...mode) (s modeSet) {
	for _, m := range ms {
		s |= 1 << m
	}
	return s
}

func (m *model) writerSteps(s *State, i int) {
	w := &s.writers[i]
	if w.pc == wIdle || w.pc == wReady {
		m.listSteps(s, i)
		if w.listing {
			return
		}
	}
	if m.Crashes && w.pc != wIdle {
		m.local(s, i, "dies, or its client gives up", func(w *writer) { *w = w.idle() })
	}
	switch w.pc {
	case wIdle:
		m.beginPush(s, i)
	case wRead, wRescue, wLook, wWait, wAnswer:
		m.acquireSteps(s, i)
	case wReady:
		m.beginPut(s, i)
	default:
		m.putSteps(s, i)
	}
}

// idle is a writer that knows nothing but its replica's list.
func (w *writer) idle() writer {
	return writer{left: w.left, list: w.list, listed: w.listed}
}

// listSteps refresh the replica's list of tombstones.
func (m *model) listSteps(s *State, i int) {
	w := &s.writers[i]
	if !m.Fast || w.left == 0 && w.pc == wIdle {
		return
	}
	switch {
	case m.rules.T0BeforeList && !w.listing:
		m.local(s, i, "takes t0, and sends the request for the list of tombstones", func(w *writer) { w.list, w.listing, w.listed = 0, true, 0 })
		return
	case !m.rules.T0BeforeList && w.listing:
		m.local(s, i, "takes the list's t0", func(w *writer) { w.list, w.listing = 0, false })
		return
	}
	for _, page := range m.pages(m.rules.ListAllPages) {
		m.call(s, i, "gets the list of tombstones", nil, func(s *State, w *writer) {
			w.listed = 0
			for j := range m.Tombstones {
				if t := &s.tombs[j]; page.has(j) && t.state != noTomb && !t.state.terminal() {
					w.listed |= digests(setOf(t.key))
				}
			}
			if w.listing = !w.listing; w.listing {
				w.list = never
			}
		})
	}
}

// local is a step that asks nothing of the store.
func (m *model) local(s *State, i int, what string, then func(*writer)) {
	n := *s
	then(&n.writers[i])
	m.emit(n, step{who: writerRole, i: uint8(i), what: what})
}

// call is a call of the store: its effect on the store, and what the writer does when it has the reply.
func (m *model) call(s *State, i int, what string, effect func(*State), then func(*State, *writer)) {
	m.callOn(s, i, step{what: what}, effect, then)
}

func (m *model) callOn(s *State, i int, t step, effect func(*State), then func(*State, *writer)) {
	t.who, t.i = writerRole, uint8(i)
	n := *s
	if effect != nil {
		effect(&n)
		if m.Lost {
			t.lost = true
			m.emit(n, t)
			t.lost = false
		}
	}
	then(&n, &n.writers[i])
	m.emit(n, t)
}

// readTombs reads the tombstones of some digests.
func (m *model) readTombs(s *State, w *writer, among keySet, page slotSet) {
	_, w.todo = m.named(s, condemned, among, page)
	w.held = w.todo
	w.dead, _ = m.named(s, deleting, among, page)
}

// rescueSteps rescue the condemned tombstones that were read. After a lost compare-and-swap the
// tombstones are read again, at pc again.
func (m *model) rescueSteps(s *State, i int, again, next writerPC) {
	w := &s.writers[i]
	for j := range m.Tombstones {
		if !w.todo.has(j) {
			continue
		}
		proceed := func(w *writer) {
			w.todo &^= 1 << j
			w.held &^= 1 << j
			if w.todo == 0 {
				m.begin(w, next)
			}
		}
		switch {
		case w.held.has(j) || !m.rules.ConditionalWrites:
			m.callOn(s, i, step{what: "rescues the tombstone of", on: s.tombs[j].key, obj: true},
				func(s *State) { m.change(s, j, rescued) },
				func(_ *State, w *writer) { proceed(w) })
		case !m.rules.LostRescueReads:
			m.local(s, i, "finds a tombstone changed, which it wanted to rescue, and goes on", proceed)
		default:
			m.local(s, i, "finds a tombstone changed, which it wanted to rescue", func(w *writer) { w.todo, w.held, w.pc = 0, 0, again })
		}
	}
}

// begin enters pc, and begins with the first object where pc is a loop over objects.
func (m *model) begin(w *writer, pc writerPC) {
	w.pc, w.cur = pc, 0
	switch pc {
	case wLook:
		if m.acquired(w) == 0 {
			w.pc = wAnswer
			return
		}
		w.cur = m.acquired(w).first()
	case putVerify:
		if m.verified() == 0 {
			m.begin(w, putBlob)
			return
		}
		w.cur = m.verified().first()
	case putBlob:
		if !m.own().has(manifest) {
			m.begin(w, putRevision)
		}
	case putRevision:
		if !m.own().has(revision) {
			w.pc = m.afterRevision()
		}
	}
}

// after returns the object that follows k in ks.
func after(ks keySet, k key) (key, bool) {
	rest := ks &^ (1<<(k+1) - 1)
	if rest == 0 {
		return 0, false
	}
	return rest.first(), true
}

// publish puts an object. It doesn't replace one that is there, except where a deleting tombstone
// names it: then a new version is made, or, without versions, the writer waits.
func (m *model) publish(s *State, i int, k key, wait writerPC, then func(s *State, w *writer, created bool)) {
	w := &s.writers[i]
	switch {
	case w.dead.has(k) && m.Versioned && m.rules.NewVersion:
		m.callOn(s, i, step{what: "puts a new version of", on: k, obj: true},
			func(s *State) { m.create(s, k) },
			func(s *State, w *writer) { then(s, w, true) })
	case w.dead.has(k) && !m.Versioned && m.rules.WaitForDeletion:
		m.local(s, i, "waits until a deletion is over", func(w *writer) { w.pc, w.cur = wait, k })
	case s.objects[k] == absent:
		m.callOn(s, i, step{what: "puts", on: k, obj: true},
			func(s *State) { m.create(s, k) },
			func(s *State, w *writer) { then(s, w, true) })
	default:
		m.callOn(s, i, step{what: "has a conditional Put refused by", on: k, obj: true}, nil,
			func(s *State, w *writer) { then(s, w, false) })
	}
}

// waitSteps wait until the tombstones that delete an object are gone, and end them when no deletion
// can be executed any more.
func (m *model) waitSteps(s *State, i int, again writerPC) {
	k := s.writers[i].cur
	if _, slots := m.named(s, deleting, setOf(k), allTombs); slots == 0 {
		m.call(s, i, "sees that the deletion is over", nil, func(_ *State, w *writer) { w.pc, w.cur = again, 0 })
	} else {
		for j := range m.Tombstones {
			if slots.has(j) && s.tombs[j].notAfter == 0 {
				m.callOn(s, i, step{what: "sets done, after NotAfter, the tombstone of", on: k, obj: true},
					func(s *State) { m.change(s, j, done) },
					func(_ *State, w *writer) { w.pc, w.cur = again, 0 })
			}
		}
	}
}

// answer201 ends a successful manifest PUT.
func (m *model) answer201(s *State, i int) {
	t := m.tagOf(i)
	if s.tags[t] {
		s.acked[t] = true
	}
	if !s.writers[i].undone {
		s.revAcked = true
	}
}

func (m *model) tagOf(i int) int {
	if m.Tags < 2 {
		return 0
	}
	return i
}
