package protocol

// The first bounds take a second or two; make test searches them. The others take up to a minute each,
// and BLOBDOCK_TEST_FULL=1 searches them as well. A search has no other end than that nothing new is
// reached.

var (
	everyMode = setOfModes(head, mount, upload, blind)
	theLayer  = setOf(layer)
	linked    = setOf(layer, layerLink)
	revised   = setOf(layer, revision)
)

var smallBounds = []Bounds{
	// Pushes and runs without end.
	{Name: "layer, versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: everyMode, Versioned: true, Slow: true, Crashes: true, Mover: true},
	{Name: "layer, no versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: everyMode, Slow: true, Crashes: true, Mover: true},
	{Name: "fast, versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: everyMode, Versioned: true, Slow: true, Fast: true, Crashes: true, Mover: true, Pushes: 2, Runs: 2},
	{Name: "fast, no versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: everyMode, Slow: true, Fast: true, Lost: true, Pushes: 1, Runs: 2},
	{Name: "fast alone", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(head), Versioned: true, Fast: true, Lost: true, Pushes: 1},
	// Two collectors.
	{Name: "collectors, versions", Writers: 1, Collectors: 2, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Versioned: true, Slow: true, Crashes: true, Pushes: 1, Runs: 1},
	{Name: "collectors, no versions", Writers: 1, Collectors: 2, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(upload), Slow: true, Pushes: 1, Runs: 1},
	{Name: "two tombstones", Writers: 1, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head), Versioned: true, Slow: true, Pushes: 1, Runs: 1},
	{Name: "names", Writers: 1, Collectors: 2, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(head), Versioned: true, Slow: true, Pushes: 1, Runs: 2},
	// Links, the manifest's own objects, policies, an index.
	{Name: "links, versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: linked, Modes: everyMode, Versioned: true, Slow: true, Pushes: 1, Runs: 1},
	{Name: "links, no versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: linked, Modes: everyMode, Slow: true, Crashes: true, Pushes: 1, Runs: 2},
	{Name: "manifest, versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: setOf(manifest), Modes: setOfModes(blind), Versioned: true, Slow: true, Fast: true, Crashes: true, Mover: true},
	{Name: "manifest, no versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: setOf(manifest), Modes: setOfModes(blind), Slow: true, Fast: true, Crashes: true, Mover: true},
	{Name: "manifest and link, versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: setOf(manifest, revision), Modes: setOfModes(blind), Versioned: true, Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 2},
	{Name: "manifest and link, no versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: setOf(manifest, revision), Modes: setOfModes(blind), Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 1},
	{Name: "untagged deleted", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: revised, Modes: setOfModes(blind), Versioned: true, Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 2},
	{Name: "untagged kept", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: revised, Modes: setOfModes(blind, upload), Versioned: true, Slow: true, Mover: true, Pushes: 1, Runs: 2},
	{Name: "index", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: revised, Missing: setOf(revision), Index: true, Dangling: true, Versioned: true, Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 1},
	{Name: "by digest", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 0, Objects: revised, Modes: everyMode, Versioned: true, Slow: true, Fast: true, Mover: true, Pushes: 1, Runs: 2},
	{Name: "by digest, untagged deleted", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 0, Objects: revised, Modes: setOfModes(head, upload), Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 1},
	// Two writers.
	{Name: "writers", Writers: 2, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Versioned: true, Slow: true, Crashes: true, Pushes: 1, Runs: 1},
	{Name: "failure", Writers: 2, Tombstones: 1, Tags: 1, Objects: revised, Missing: revised, Modes: setOfModes(blind, upload), Versioned: true, Slow: true, Mover: true, Pushes: 1},
}

var largeBounds = []Bounds{
	{Name: "2 writers, 2 collectors, 2 tombstones, slow, versions", Writers: 2, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Versioned: true, Slow: true, Crashes: true, Mover: true, Pushes: 1, Runs: 1},
	{Name: "2 writers, 2 collectors, 2 tombstones, slow, no versions", Writers: 2, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Slow: true, Pushes: 1, Runs: 1},
	{Name: "2 writers, 2 collectors, 2 tombstones, fast, versions", Writers: 2, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head), Versioned: true, Fast: true, Pushes: 1, Runs: 1},
	{Name: "2 writers, 2 collectors, fast, no versions", Writers: 2, Collectors: 2, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(upload), Fast: true, Pushes: 1, Runs: 1},
	{Name: "long runs, versions", Writers: 1, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Versioned: true, Slow: true, Crashes: true, Pushes: 1, Runs: 3},
	{Name: "long runs, no versions", Writers: 1, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Slow: true, Crashes: true, Pushes: 1, Runs: 3},
	{Name: "fast without end, versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: everyMode, Versioned: true, Slow: true, Fast: true, Crashes: true, Lost: true, Mover: true},
	{Name: "fast without end, no versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: everyMode, Slow: true, Fast: true, Crashes: true, Lost: true, Mover: true},
	{Name: "fine clock, versions", Writers: 1, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: everyMode, Versioned: true, Slow: true, Fast: true, Crashes: true, Mover: true, FineClock: true},
	{Name: "fine clock, no versions", Writers: 1, Collectors: 2, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Slow: true, Crashes: true, FineClock: true, Pushes: 1, Runs: 1},
	{Name: "links and two collectors, versions", Writers: 1, Collectors: 2, Tombstones: 2, Tags: 1, Objects: linked, Modes: everyMode, Versioned: true, Slow: true, Crashes: true, Pushes: 1, Runs: 1},
	{Name: "links and two collectors, no versions", Writers: 1, Collectors: 2, Tombstones: 2, Tags: 1, Objects: linked, Modes: everyMode, Slow: true, Crashes: true, Pushes: 1, Runs: 1},
	{Name: "whole image, versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: allKeys, Modes: everyMode, Versioned: true, Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 2},
	{Name: "whole image, no versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: allKeys, Modes: everyMode, Slow: true, Fast: true, Mover: true, Untagged: true, Pushes: 1, Runs: 2},
	{Name: "index, versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: revised, Missing: setOf(revision), Index: true, Dangling: true, Versioned: true, Slow: true, Fast: true, Crashes: true, Mover: true, Untagged: true},
	{Name: "index, no versions", Writers: 1, Collectors: 1, Tombstones: 2, Tags: 1, Objects: revised, Missing: setOf(revision), Index: true, Dangling: true, Slow: true, Fast: true, Crashes: true, Mover: true, Untagged: true, Pushes: 1, Runs: 2},
	{Name: "two writers, manifest and layer, versions", Writers: 2, Collectors: 1, Tombstones: 1, Tags: 1, Objects: revised, Modes: setOfModes(blind, upload), Versioned: true, Slow: true, Mover: true, Pushes: 1, Runs: 1},
	{Name: "two writers, manifest and layer, no versions", Writers: 2, Collectors: 1, Tombstones: 1, Tags: 1, Objects: revised, Modes: setOfModes(blind, upload), Slow: true, Mover: true, Untagged: true, Pushes: 1, Runs: 1},
	{Name: "two tags", Writers: 2, Collectors: 1, Tombstones: 1, Tags: 2, Objects: theLayer, Modes: setOfModes(head), Versioned: true, Fast: true, Mover: true, Pushes: 1, Runs: 1},
	{Name: "2 writers, 2 collectors, 2 tombstones, both paths, versions", Writers: 2, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head), Versioned: true, Slow: true, Fast: true, Pushes: 1, Runs: 1},
	{Name: "fine clock, two collectors, versions", Writers: 1, Collectors: 2, Tombstones: 2, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Versioned: true, Slow: true, Fast: true, Crashes: true, Pushes: 1, Runs: 1, FineClock: true},
	{Name: "fine clock, two writers, no versions", Writers: 2, Collectors: 1, Tombstones: 1, Tags: 1, Objects: theLayer, Modes: setOfModes(head, upload), Slow: true, Fast: true, Pushes: 1, Runs: 1, FineClock: true},
	{Name: "two writers, links, versions", Writers: 2, Collectors: 1, Tombstones: 2, Tags: 1, Objects: linked, Modes: setOfModes(head, mount, upload), Versioned: true, Slow: true, Pushes: 1, Runs: 1},
	{Name: "two writers, links, no versions", Writers: 2, Collectors: 1, Tombstones: 2, Tags: 1, Objects: linked, Modes: setOfModes(mount, upload), Slow: true, Pushes: 1, Runs: 1},
}
