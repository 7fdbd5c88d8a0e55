package protocol

import "math/bits"

// key is an object of the store.
type key uint8

const (
	layer     key = iota // blob of the layer
	layerLink            // its link in the repository
	manifest             // blob of the image manifest
	revision             // its revision link in the repository
	keys
)

func (k key) String() string {
	return [...]string{"the layer", "the layer's link", "the manifest's blob", "the manifest's revision link"}[k]
}

// keySet is a set of keys.
type keySet uint8

func setOf(ks ...key) (s keySet) {
	for _, k := range ks {
		s |= 1 << k
	}
	return s
}

const allKeys = keySet(1<<keys - 1)

func (s keySet) has(k key) bool { return s&(1<<k) != 0 }

// first is the lowest key of a set that isn't empty.
func (s keySet) first() key { return key(bits.TrailingZeros8(uint8(s))) }

// object is what the store holds under a key.
type object uint8

const (
	absent object = iota
	old           // older than G
	young
)

// slotSet is a set of indices of State.tombs.
type slotSet uint8

func (s slotSet) has(i int) bool { return s&(1<<i) != 0 }

type tombState uint8

const (
	noTomb tombState = iota
	condemned
	rescued
	deleting
	done
)

func (t tombState) terminal() bool { return t == rescued || t == done }

// tombstone condemns one version of one object.
type tombstone struct {
	state    tombState
	key      key
	current  bool  // its version is the one that the object has now
	notAfter uint8 // ticks until NotAfter
}

const maxTombstones = 2

// State is everything at one moment. All its fields are single bytes, so that it is hashed as it lies in
// memory.
type State struct {
	objects  [keys]object
	late     [keys]uint8 // ticks during which deletions that were sent may still be executed
	tombs    [maxTombstones]tombstone
	tags     [2]bool // the tag points to the top manifest, not elsewhere
	acked    [2]bool // a PUT of this tag was answered 201, and the tag was not moved or deleted since
	revAcked bool    // a PUT was answered 201, and no client deleted the manifest since

	writers    [2]writer
	collectors [2]collector

	broken Property // what the last step violated by itself
}
