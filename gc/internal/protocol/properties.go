package protocol

// Property is what the protocol promises.
type Property uint8

const (
	Holds Property = iota
	// ContentAfter201: after a manifest PUT was answered 201, its content is there as long as a tag or
	// the policy keeps it.
	ContentAfter201
	// PromiseKept: content that a HEAD, a mount or an upload said to be there is there for a manifest
	// PUT that lists the tombstones within the time of the promise, and looks no later than the bound
	// after that.
	PromiseKept
	// GarbageEnds: when all come to rest, collectors alone take away what is unreferenced, and all
	// tombstones.
	GarbageEnds
)

func (p Property) String() string {
	return [...]string{"holds", "content after 201", "promise kept", "garbage ends"}[p]
}

// violated checks a state for what can be seen in it alone.
func (m *model) violated(s *State) Property {
	if s.broken != Holds {
		return s.broken
	}
	need := m.Objects
	if !s.revAcked || m.Untagged && !s.acked[0] && !s.acked[1] {
		// The client, or the policy, took the revision link away.
		need &^= setOf(revision)
	}
	kept := s.acked[0] || s.acked[1]
	if m.Objects.has(revision) && s.revAcked && s.objects[revision] != absent {
		_, slots := m.named(s, deleting, setOf(revision), allTombs)
		kept = kept || slots == 0 // the repository has the manifest, tagged or not
	}
	if !m.Untagged && s.revAcked && m.Objects.has(revision) {
		kept = true
	}
	if !kept {
		return Holds
	}
	for k := range keys {
		if need.has(k) && s.objects[k] == absent {
			return ContentAfter201
		}
	}
	return Holds
}

// quiet reports whether no writer and no collector is at work.
func (s *State) quiet() bool {
	for i := range s.writers {
		if s.writers[i].pc != wIdle || s.writers[i].listing {
			return false
		}
	}
	for i := range s.collectors {
		if s.collectors[i].pc != cIdle {
			return false
		}
	}
	return true
}

// clean reports whether nothing is left that should be taken away.
func (m *model) clean(s *State) bool {
	for i := range s.tombs {
		if s.tombs[i].state != noTomb {
			return false
		}
	}
	var c collector
	for _, pc := range m.marks[0] {
		m.mark(s, &c, pc)
	}
	for k := range keys {
		if s.objects[k] != absent && !c.marked.has(k) {
			return false
		}
	}
	return true
}

// loneRuns is the number of runs of a collector alone after which all must be clean: one for each
// object and one for the tombstones that others left.
const loneRuns = 8

// endsClean has one collector run alone while time passes, and reports whether all is clean
// in the end.
func (m *model) endsClean(s State) bool {
	for i := range s.writers {
		s.writers[i] = writer{list: never}
	}
	s.collectors = [2]collector{{left: loneRuns}}
	for k := range keys {
		if s.objects[k] != absent {
			s.objects[k] = old
		}
	}
	_, hash := m.canonical(s)
	if clean, ok := m.lone[hash]; ok {
		return clean
	}
	alone := *m
	alone.Collectors, alone.Crashes, alone.Mover, alone.Fast, alone.Dangling = 1, false, false, false, false
	alone.next = nil
	clean := alone.runsClean(s)
	m.lone[hash] = clean
	return clean
}

// runsClean follows one path: what the store can do comes first, then the collector goes on, and time
// passes where it waits.
func (m *model) runsClean(s State) bool {
	for !s.quiet() || !m.clean(&s) {
		var then State
		best := 0
		for _, n := range m.successors(&s) {
			order := 1
			switch {
			case n.state == s:
				continue
			case n.step.who == collectorRole:
				order = 2
			case n.step.what != passes:
				order = 3
			}
			if order > best {
				then, best = n.state, order
			}
		}
		if best == 0 {
			return false // nothing can happen any more
		}
		s = then
	}
	return true
}
