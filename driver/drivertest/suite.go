// Package drivertest is the conformance suite of the driver contract. A driver
// passes when every clause in the documentation of package driver holds for it.
//
//	func TestConformance(t *testing.T) {
//		drivertest.Run(t, drivertest.Harness{
//			New: func(t testing.TB) driver.Bucket { return mem.New() },
//		})
//	}
//
// What a store does not offer (a nil field of driver.Features) is left out, and
// named in one line of the log; pinning the features in a golden file shows when
// one gets lost.
package drivertest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// Harness is how the suite gets at the driver under test.
type Harness struct {
	// Name names golden files; by default the driver's Features.Name.
	Name string
	// New makes an empty bucket for one test. It registers what has to be cleaned
	// up with t.Cleanup, closing the bucket included.
	New func(t testing.TB) driver.Bucket
	// Missing opens a bucket that does not exist. It is nil for stores in which
	// there is no such thing.
	Missing func(t testing.TB) driver.Bucket
	// Golden is the directory of the pinned features, usually "testdata". When it
	// is empty, nothing is pinned.
	Golden string
	// Requests counts the requests sent to the store so far. With it, each verb is
	// checked to cost exactly one.
	Requests func() int64
	// Costs are the requests of the verbs that need another number than 1.
	Costs map[driver.Op]int64
	// ListsUploadsByKey is for stores that list an upload only when Prefix is its
	// exact key.
	ListsUploadsByKey bool
	// Exceptions are what the store can't do whatever its driver does, by the name
	// of the test or of a part of it, with the reason. Each run logs them. The
	// parts are:
	//
	//	bucket-not-key/create-upload   a missing bucket shows at CreateUpload
	//	complete-by-etag/replaced      a part that was put again can't be named any more
	//	concat-joins/scratch           intermediate objects are gone when the object is there
	//	concat-pins/changed            a source that changed is found
	//	concat-pins/uploads            the upload of a Concat that fails is gone
	//	copy/changed                   so it is by Copy, and in the random walk
	//	copy-part/changed              and by CopyPart
	//	copy-part/beyond               a part that is not all in its source is refused
	//	copy-part/completed            the upload is gone for part copies
	//	delete-batch/version           a batch compares versions
	//	key-bytes/backslash            a backslash in a key; the key is refused instead
	//	key-bytes/utf-16               byte order of characters beyond U+FFFF
	//	model/uploads                  uploads in the random walk
	//	sign/cache-control             another Cache-Control in the answer to a signed URL
	//	sign/part                      URLs that put a part
	//	upload-invisible/overwritten   an upload outlives a Put to its key
	Exceptions map[string]string
	// MaxKey is the longest key in bytes that buckets of New take: driver.MaxKey by
	// default, less the prefix of those that have one.
	MaxKey int
	// Client fetches signed URLs; by default one with connections of its own.
	Client *http.Client
	// Steps is the length of the random walk beside the model: 300 by default.
	Steps int
	// Around, when given, runs each test of the suite: a store that is known to break a
	// clause can be expected to.
	Around func(t *testing.T, test func(t *testing.T))
	// Brief leaves out list-thousand, which takes a thousand requests and more. It
	// is for a second run on a store, which has shown it in the first.
	Brief bool
}

// suite is a Harness with its defaults filled in.
type suite struct{ Harness }

// test is one named test of the suite.
type test struct {
	name string
	run  func(t *testing.T, s suite)
	// needs is the feature without which the test is left out.
	needs func(f driver.Features) bool
	long  bool // left out when brief
}

// clauses has a test for each clause of the contract, in its order.
var clauses = []test{
	{name: "delete-absent", run: deleteAbsent},
	{name: "range-edges", run: rangeEdges},
	{name: "short-body", run: shortBody},
	{name: "list-order", run: listOrder},
	{name: "cond-honoured", run: condHonoured},
	{name: "put-atomic", run: putAtomic},
	{name: "part-replace", run: partReplace, needs: hasUploads},
	{name: "complete-by-etag", run: completeByETag, needs: hasUploads},
	{name: "complete-consumes", run: completeConsumes, needs: hasUploads},
	{name: "ctx-reachable", run: ctxReachable},
	{name: "bucket-not-key", run: bucketNotKey},
	{name: "etag-pins", run: etagPins},
	{name: "key-bytes", run: keyBytes},
	{name: "metadata-kept", run: metadataKept, needs: func(f driver.Features) bool { return f.Metadata }},
	{name: "version-unique", run: versionUnique},
	{name: "delete-version", run: deleteVersion},
	{name: "delete-deadline", run: deleteDeadline},
	{name: "concat-joins", run: concat},
	{name: "concat-pins", run: concatPins},
	{name: "concat-atomic", run: concatAtomic},
	{name: "concat-checksum", run: concatChecksum, needs: func(f driver.Features) bool { return f.Concat != nil && f.StatChecksums != nil }},
	{name: "checksums-whole", run: checksums, needs: func(f driver.Features) bool { return f.StatChecksums != nil }},
}

// further has what the contract says elsewhere.
var further = []test{
	{name: "sizes", run: sizes},
	{name: "absent", run: absent},
	{name: "arguments", run: arguments},
	{name: "digest", run: digest},
	{name: "replayable-body", run: replayableBody},
	{name: "reader-closed-early", run: readerClosedEarly},
	{name: "one-wins-if-absent", run: oneWinsIfAbsent, needs: func(f driver.Features) bool { return f.Conds.Put.Allows(ifAbsent) }},
	{name: "one-wins-if-match", run: oneWinsIfMatch, needs: func(f driver.Features) bool { return f.Conds.Put.Allows(ifMatch("x")) }},
	{name: "list-pages", run: listPages},
	{name: "list-delimiter", run: listDelimiter},
	{name: "list-start-after", run: listStartAfter},
	{name: "list-while-deleting", run: listWhileDeleting},
	{name: "list-thousand", run: listThousand, long: true},
	{name: "part-order", run: partOrder, needs: hasUploads},
	{name: "part-limits", run: partLimits, needs: hasUploads},
	{name: "upload-invisible", run: uploadInvisible, needs: hasUploads},
	{name: "upload-list", run: uploadList, needs: hasUploads},
	{name: "upload-parallel", run: uploadParallel, needs: hasUploads},
	{name: "copy", run: copyWhole, needs: func(f driver.Features) bool { return f.Copy != nil }},
	{name: "copy-part", run: copyPart, needs: func(f driver.Features) bool { return f.CopyPart != nil }},
	{name: "delete-batch", run: deleteBatch, needs: func(f driver.Features) bool { return f.DeleteBatch != nil }},
	{name: "sign", run: sign, needs: func(f driver.Features) bool { return f.Sign != nil }},
	{name: "wire-cost", run: wireCost},
	{name: "features", run: pinFeatures},
	{name: "model", run: model},
}

func hasUploads(f driver.Features) bool { return f.Uploads != nil }

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.Client == nil {
		// Not http.DefaultClient: who closes an httptest.Server closes idle connections of that, and a
		// request fails whose connection is just becoming idle.
		h.Client = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
		t.Cleanup(h.Client.CloseIdleConnections)
	}
	if h.MaxKey == 0 {
		h.MaxKey = driver.MaxKey
	}
	if h.Steps == 0 {
		h.Steps = 300
	}
	if h.Around == nil {
		h.Around = func(t *testing.T, test func(t *testing.T)) { test(t) }
	}
	s := suite{h}
	f := h.New(t).Features()
	if s.Name == "" {
		s.Name = strings.ReplaceAll(f.Name, "/", "-")
	}
	if lacks := missing(f); len(lacks) > 0 {
		t.Logf("%s does not offer %s", f.Name, strings.Join(lacks, ", "))
	}
	for _, c := range slices.Concat(clauses, further) {
		if (c.needs == nil || c.needs(f)) && !s.excepted(t, c.name) && (!s.Brief || !c.long) {
			t.Run(c.name, func(t *testing.T) { s.Around(t, func(t *testing.T) { c.run(t, s) }) })
		}
	}
}

// excepted tells whether the store is excused from something, and says so.
func (s suite) excepted(t testing.TB, name string) bool {
	t.Helper()
	reason, ok := s.Exceptions[name]
	if ok {
		t.Logf("exception: %s: %s", name, reason)
	}
	return ok
}
