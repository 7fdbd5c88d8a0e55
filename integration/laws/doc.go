// Package laws enforces what clouds document and their emulators let pass: a reverse
// proxy that a driver takes for the store.
//
//	s3, enforcer := laws.S3(t, emulator.Start(t), laws.Options{}, "aws")
//	// give s3 to the driver, let it work
//	t.Log(enforcer.Refusals())
//
// The rules are the rows of one table, [All]. A test switches rows on by their names, or
// by the name of a set: "aws", "ceph", "r2", "b2", "wasabi", "oss", "swift", "gcs",
// "azure", "azure-hns". A rule that a document leaves open (bursts, the order of checks)
// is a field of [Options], whose default is the strict reading.
//
// Faults are rows, too: they refuse what [Options.Faults] says, and nothing by default.
package laws
