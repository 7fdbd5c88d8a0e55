package protocol

import "reflect"

// Rules are the rules of the protocol. The protocol is the value with all of them set. Each field says
// what the rule is; docs/gc-protocol.md says what goes wrong without it.
type Rules struct {
	// The mark.
	ErrorAborts      bool // any error of the store ends the run
	RevisionProtects bool // a revision link protects what its manifest names, also one that the policy condemns

	// The collector.
	OldOnly             bool // only objects older than G are condemned
	OldTwice            bool // and only those are deleted that still are, after the wait
	Waits               bool // condemned objects are not deleted before G' has passed
	WaitOutlasts        bool // G' is longer than a promise and the age of the knowledge that it was made on
	WaitFromLast        bool // the wait begins with the batch's last tombstone, not the first
	WaitFromAck         bool // the wait begins when the tombstone is acknowledged, not when it is sent
	Adopts              bool // a run takes over unfinished tombstones of others
	AdoptionWaits       bool // an adopted tombstone waits G' from its adoption on
	SecondMark          bool // after the wait, all is marked again
	SecondMarkAfterWait bool // the second mark begins after the wait
	RescueBeforeRemoval bool // a referenced object's tombstone is set to rescued before it is removed
	ConditionalWrites   bool // tombstones change by compare-and-swap only
	UniqueNames         bool // the name of a tombstone is never used again
	ExactVersion        bool // the version that the tombstone names is deleted, and no other
	ConfirmsAbsence     bool // a tombstone is done only when its object was seen gone
	Renews              bool // each deletion first renews the tombstone's NotAfter
	SignatureExpires    bool // the store executes no deletion after NotAfter
	DoneAfterNotAfter   bool // done is not set before NotAfter
	DoneOwnGeneration   bool // done is set only by the collector that renewed the tombstone last

	// HEAD, mount, digest hit and upload.
	HitReads         bool // tombstones are read, or a list of them is at hand
	ReadBeforeStat   bool // they are read before the object is looked at
	HitRescues       bool // condemned ones are rescued
	LostRescueReads  bool // a lost compare-and-swap has the tombstones read again
	DeletingIsAbsent bool // a version that a deleting tombstone names counts as absent
	AnswerBound      bool // nothing is promised on knowledge of tombstones that is too old
	NewVersion       bool // with versions: where a tombstone is deleting, a Put is unconditional
	WaitForDeletion  bool // without versions: where a tombstone is deleting, a Put waits for its end

	// The slow path of a manifest PUT.
	SlowListAllPages     bool // the list is read to its end
	SlowRescues          bool // condemned tombstones of the closure are rescued
	SlowOwn              bool // so are those of the manifest's own digest
	SlowChildren         bool // so are those of the children's layers
	SlowVerifies         bool // the closure is looked at after that
	VerifyLinks          bool // the links of layers are looked at as well
	SlowDeletingIsAbsent bool // versions that a deleting tombstone names count as absent
	FailRemovesNothing   bool // a PUT that fails removes nothing

	// The fast path of a manifest PUT.
	ListAllPages  bool // the replica's list of tombstones is read to its end
	T0BeforeList  bool // its time is taken before the request
	StatAfterT0   bool // a sighting begins after the t0 that it counts from
	OldestT0      bool // the oldest t0 of all sightings counts
	FastOwn       bool // the manifest's own digest must have no tombstone
	FastChildren  bool // the children's layers must be sighted
	CheckAfterTag bool // the time is checked after the tag was acknowledged
	AllClocks     bool // time counts while a machine is suspended
}

// Protocol is all rules.
func Protocol() Rules {
	var r Rules
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		v.Field(i).SetBool(true)
	}
	return r
}

// Without returns the protocol without one rule.
func Without(rule string) Rules {
	r := Protocol()
	f := reflect.ValueOf(&r).Elem().FieldByName(rule)
	if !f.IsValid() {
		panic("protocol: no rule " + rule)
	}
	f.SetBool(false)
	return r
}

// RuleNames returns the names of all rules, in the order of Rules.
func RuleNames() []string {
	var names []string
	t := reflect.TypeFor[Rules]()
	for i := range t.NumField() {
		names = append(names, t.Field(i).Name)
	}
	return names
}
