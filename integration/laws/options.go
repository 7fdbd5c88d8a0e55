package laws

import "time"

// Options are what the laws leave to the test. The zero value is the strict reading of
// the documents, without faults.
type Options struct {
	// Faults says which requests the laws of kind Fault let fail, by the law's name.
	Faults map[string]Faults
	// Seed makes random faults repeat.
	Seed uint64

	S3    S3Options
	GCS   GCSOptions
	Azure AzureOptions
}

// Faults selects requests.
type Faults struct {
	Ops   []string      // the operations that may fail, as package wire names them; all by default
	Total int           // the first so many requests of all that the law looks at
	First int           // the first so many requests to each key
	For   time.Duration // all requests to a key until so long after the key's first one
	// Every makes For an outage of the whole store: all requests fail in the last For of
	// each Every since the first one came.
	Every time.Duration
	Rate  float64 // of the others this share, from 0 to 1
	// After lets the store execute the request before it fails; by default the store
	// never sees it.
	After bool
}
