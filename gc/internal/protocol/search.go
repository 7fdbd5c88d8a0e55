package protocol

// Result is what a search found.
type Result struct {
	States   int      // distinct states, those that differ only in the names of equal actors counted once
	Depth    int      // steps to the state that is furthest away
	Complete bool     // every reachable state was seen
	Violated Property // Holds, if no state violates a property
	Trace    []string // the steps to the violation, of which there is none shorter
}

// Search visits every state that the protocol reaches within the bounds, in breadth first, up to limit
// states (0: no limit), and stops at the first that violates a property.
//
// States are remembered by a hash of 64 bits. Among 50 million states, two share a hash with a
// probability of one in 15,000; a search that finds nothing is evidence of that strength.
func Search(b Bounds, r Rules, limit int) Result {
	m := newModel(b, r)
	v := newVisited()
	var level, next []State
	add := func(s State, hash uint64, parent uint32) (uint32, bool) {
		id, isNew := v.add(hash, parent)
		if isNew {
			next = append(next, s)
		}
		return id, isNew
	}
	for _, s := range m.initial() {
		s, hash := m.canonical(s)
		add(s, hash, 0)
	}
	res := Result{Complete: true}
	first := uint32(1) // id of the first state of the level
	for len(next) > 0 {
		level, next = next, level[:0]
		for i := range level {
			parent := first + uint32(i)
			if p := m.check(&level[i]); p != Holds {
				res.States, res.Violated, res.Trace = v.len(), p, m.trace(v, parent)
				return res
			}
			if limit > 0 && v.len() >= limit {
				res.States, res.Complete = v.len(), false
				return res
			}
			for _, n := range m.successors(&level[i]) {
				s, hash := m.canonical(n.state)
				add(s, hash, parent)
			}
		}
		first += uint32(len(level))
		res.Depth++
	}
	res.Depth--
	res.States = v.len()
	return res
}

func (m *model) check(s *State) Property {
	if p := m.violated(s); p != Holds {
		return p
	}
	if s.quiet() && !m.endsClean(*s) {
		return GarbageEnds
	}
	return Holds
}

// trace finds the steps again that lead to a state, and names actors as they were at the beginning.
func (m *model) trace(v *visited, id uint32) []string {
	var path []uint64
	for ; id != 0; id = v.parents[id] {
		path = append(path, v.hashes[id])
	}
	var s State
	for _, init := range m.initial() {
		if _, hash := m.canonical(init); hash == path[len(path)-1] {
			s = init
		}
	}
	var steps []string
	for i := len(path) - 2; i >= 0; i-- {
		before := len(steps)
		for _, n := range m.successors(&s) {
			if _, hash := m.canonical(n.state); hash == path[i] {
				steps = append(steps, n.step.String())
				s = n.state
				break
			}
		}
		if len(steps) == before {
			panic("protocol: a step is not found again: actors or tombstones are not treated alike")
		}
	}
	return steps
}

// visited is a set of states, each with the state that it was reached from. An id counts from 1.
type visited struct {
	hashes  []uint64
	parents []uint32
	table   []uint32 // open addressing: ids at the places that the hashes give
}

func newVisited() *visited {
	return &visited{hashes: make([]uint64, 1), parents: make([]uint32, 1), table: make([]uint32, 1<<12)}
}

func (v *visited) len() int { return len(v.hashes) - 1 }

func (v *visited) add(hash uint64, parent uint32) (id uint32, isNew bool) {
	at := v.find(hash)
	if id := v.table[at]; id != 0 {
		return id, false
	}
	id = uint32(len(v.hashes))
	v.hashes = append(v.hashes, hash)
	v.parents = append(v.parents, parent)
	v.table[at] = id
	if len(v.hashes)*3 > len(v.table)*2 {
		v.grow()
	}
	return id, true
}

// find returns the place of a hash, or the free one where it belongs.
func (v *visited) find(hash uint64) uint64 {
	mask := uint64(len(v.table) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		if id := v.table[at]; id == 0 || v.hashes[id] == hash {
			return at
		}
	}
}

func (v *visited) grow() {
	v.table = make([]uint32, 2*len(v.table))
	for id := 1; id < len(v.hashes); id++ {
		v.table[v.find(v.hashes[id])] = uint32(id)
	}
}
