// Package protocol is an explicit-state model of online garbage collection: an abstract store,
// writers and collectors, and a breadth-first search of every state that they can reach together.
//
// The model is not the collector. It says which steps the collector and the registry take, in which
// order, and what each step may assume; docs/gc-protocol.md says it in English. Every rule of the
// protocol is a field of [Rules]. The tests search the whole protocol and find no violation, then
// leave out each rule in turn and require a violation.
//
// # What is modelled
//
// One image manifest with one layer in one repository, and on demand an index that names the image.
// That makes four objects: blob and link of the layer, blob and revision link of the manifest. One or
// two tags point to the top manifest or elsewhere. Writers and collectors run any number of times, or
// as often as [Bounds] says. An actor takes one step per store call; between two steps it may be
// paused for any time, or die. A call of a writer may take effect while its reply is lost, and is then
// repeated.
//
// Versions and ETags are not numbers here. A tombstone knows whether its version is the version that
// the object has now, and an actor knows whether what it read of a tombstone is still what the store
// holds. Every write clears that knowledge elsewhere. So the states are finitely many although nothing
// bounds the number of writes.
//
// Time is counted in ticks, and every clock is the time since something happened, up to the value
// above which it no longer matters. A tick may happen between any two steps.
package protocol
