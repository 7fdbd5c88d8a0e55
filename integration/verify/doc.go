// Package verify tries blobdock out on a real bucket and writes a report.
//
//	make verify-cloud URL='s3://my-bucket?region=eu-west-1'
//
// [Run] runs the conformance suite of package driver, the checks of package probe, and
// pushes, resumes, pulls, a sweep and a deletion through distribution's registry. Then it
// asks the store what documents leave open: each question is one row of a table
// (questions_*.go), with what blobdock takes for granted beside what the store answered.
//
// All objects lie below one random prefix. Run removes them at the end, after a failure
// and after an interrupt, too, and the report lists what could not be removed.
package verify
