package protocol

// Bounds say how large a search is: who takes part, which objects exist, and what may go wrong.
type Bounds struct {
	Name       string
	Writers    int // replicas of the registry, each with one push at a time; at most 2
	Collectors int // at most 2
	Tombstones int // that exist at once; at most maxTombstones
	Tags       int // at most 2; the second writer pushes to the second tag. 0: manifests are pushed by digest
	Pushes     int // by each writer; 0: any number
	Runs       int // of each collector; 0: any number

	Objects   keySet // modelled; the others are always there, and never collected
	Modes     modeSet
	Versioned bool // each Put makes a version that never was before; otherwise equal bytes have equal ETags
	Index     bool // the pushed manifest is an index that names the image
	Untagged  bool // the policy deletes untagged manifests

	Slow, Fast bool // paths of the manifest PUT
	Crashes    bool
	Lost       bool   // replies
	Mover      bool   // tags are deleted or moved away, manifests are deleted
	Missing    keySet // it may also begin without these
	Dangling   bool   // an abandoned push may write the image's revision link, whatever became of the layer
	FineClock  bool   // a promise holds longer than the knowledge that it is made on may be old
}

// clock holds the durations of the protocol in ticks.
type clock struct {
	stale    uint8 // how old knowledge of tombstones may be when a promise is made on it
	bound    uint8 // how long a promise is kept, and how long a manifest PUT may take from t0 on
	wait     uint8 // G'
	deletion uint8 // from the renewal of a tombstone to its NotAfter
}

func (b Bounds) clock(r Rules) clock {
	// A tick is the resolution: two events in the same tick may have either order. So a wait that is
	// longer than the other two durations together takes one tick more.
	c := clock{stale: 1, bound: 1, wait: 3, deletion: 1}
	if b.FineClock {
		c = clock{stale: 1, bound: 3, wait: 5, deletion: 2}
	}
	if !r.WaitOutlasts {
		c.wait = c.stale + c.bound
	}
	return c
}

// never is an age that no clock reaches, and the age of what doesn't exist.
const never = 7
