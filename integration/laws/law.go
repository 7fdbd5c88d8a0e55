package laws

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Store is the protocol that a law belongs to.
type Store string

// The protocols that there are emulators for.
const (
	StoreS3    Store = "s3"
	StoreGCS   Store = "gcs"
	StoreAzure Store = "azure"
)

// Law is one rule that a store's maker documents and the store's emulator does not
// enforce.
type Law struct {
	Store  Store
	Name   string   // by which tests switch it on; no other law has it
	Sets   []string // the stores that have the rule, "aws" for one
	Rule   string   // one sentence, without a full stop
	Source string   // the page that has the rule
	Test   string   // the test that proves the enforcement
	// Fault marks what may happen to any request rather than what always does:
	// Options.Faults says to which.
	Fault bool
	// rewrites marks laws that change what a request's signature covers.
	rewrites bool
	// enforce makes the law's state for one proxy.
	enforce func(r rule) enforcement
}

// call is a request as a law sees it.
type call struct {
	*http.Request
	op          string // as package wire names it
	bucket, key string // the container's and blob's name on Azure; key is "" for calls on buckets
}

// rule is a law as one proxy enforces it.
type rule struct {
	*Enforcer
	law string
}

// handler answers a call.
type handler func(w http.ResponseWriter, c call)

// enforcement stands around a call: it refuses the call, passes it to next, or edits
// what goes in or comes out.
type enforcement func(w http.ResponseWriter, c call, next handler)

// All lists the laws of all stores, in the order in which they are asked.
func All() []Law { return slices.Concat(s3Laws(), gcsLaws(), azureLaws()) }

// Sets lists the names of all sets of a store.
func Sets(store Store) []string {
	var names []string
	for _, l := range All() {
		if l.Store == store {
			names = append(names, l.Sets...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Select returns the laws of a store with these names, or in the sets with these names,
// in the order of the table.
func Select(store Store, names ...string) ([]Law, error) {
	var selected []Law
	known := make(map[string]bool)
	for _, l := range All() {
		if l.Store != store {
			continue
		}
		known[l.Name] = true
		for _, set := range l.Sets {
			known[set] = true
		}
		if slices.Contains(names, l.Name) || slices.ContainsFunc(l.Sets, func(set string) bool { return slices.Contains(names, set) }) {
			selected = append(selected, l)
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("no law or set %q of store %s: its sets are %s", name, store, strings.Join(Sets(store), ", "))
		}
	}
	return selected, nil
}
