package laws

import "time"

// GCSOptions are what the documents of Google Cloud Storage leave open, and what a
// bucket's owner sets.
type GCSOptions struct {
	// KeyRate limits the changes of one object name. That bursts pass to some degree is
	// known, but no document tells the degree.
	KeyRate KeyRate
	// FreeRefusals takes changes that fail, for a condition that is not met or an object
	// that is not there, out of what KeyRate counts. The limit is on "mutation
	// operations"; the strict reading counts attempts.
	FreeRefusals bool
	// FreeSources takes the sources that a compose request deletes out of what KeyRate
	// counts. The strict reading counts each as a deletion of its name.
	FreeSources bool
	// AbsentIsNotFound answers 404 where a condition names the generation of an object
	// that is not there. By default the condition is asked first, and the answer is 412.
	AbsentIsNotFound bool
	// ComposeInherits stores a composite object in the class of its sources where the
	// request names none. By default that is the bucket's default class, which is
	// STANDARD in the emulator: sources of another class are refused.
	ComposeInherits bool
	// Retention is the period of the buckets' retention policy; 0 is no policy.
	Retention time.Duration
}
