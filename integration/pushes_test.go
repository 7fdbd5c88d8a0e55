package integration_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/laws"
)

// weather is what may happen to requests of a store.
type weather struct {
	name   string
	faults map[string]laws.Faults // by law
}

var fair = weather{name: "fair"}

// weathers are those to try under the laws: of the stores that speak S3 all on Amazon's.
func (j jurisdiction) weathers() []weather {
	if j.maker == laws.StoreS3 && j.set != "aws" {
		return []weather{fair}
	}
	return weathers[j.maker]
}

const completes = "CompleteMultipartUpload"

// weathers are what each store's makers say may happen, one at a time.
var weathers = map[laws.Store][]weather{
	laws.StoreS3: {
		fair,
		{"completion-500", map[string]laws.Faults{"internal-error": {Ops: []string{completes}, Total: 1}}},
		{"completion-500-done", map[string]laws.Faults{"internal-error": {Ops: []string{completes}, Total: 1, After: true}}},
		{"late-error", map[string]laws.Faults{"late-error": {Total: 1}}},
		{"empty-result", map[string]laws.Faults{"empty-result": {Total: 1}}},
		{"empty-result-done", map[string]laws.Faults{"empty-result": {Total: 1, After: true}}},
		{"reset", map[string]laws.Faults{"reset": {Ops: []string{completes}, Total: 1}}},
		{"reset-done", map[string]laws.Faults{"reset": {Ops: []string{completes}, Total: 1, After: true}}},
		{"slow-down", map[string]laws.Faults{"slow-down": {Ops: []string{completes}, Total: 9}}},
		{"head-slow-down", map[string]laws.Faults{"slow-down": {Ops: []string{"HeadObject"}, Total: 5}}},
		{"conflicts", map[string]laws.Faults{"conditional-conflict-fault": {First: 1}}},
		{"short-outages", map[string]laws.Faults{"unavailable": {Ops: []string{"PutObject", "UploadPart", completes}, For: 300 * time.Millisecond}}},
		{"one-in-five-throttled", map[string]laws.Faults{"slow-down": {Rate: 0.2}}},
		{"one-in-twenty-cut", map[string]laws.Faults{"reset": {Rate: 0.05}}},
	},
	laws.StoreGCS: {
		fair,
		{"compose-500", map[string]laws.Faults{"gcs-internal-error": {Ops: []string{"objects.compose"}, Total: 1}}},
		{"compose-reset-done", map[string]laws.Faults{"gcs-reset": {Ops: []string{"objects.compose"}, Total: 1, After: true}}},
		{"short-outages", map[string]laws.Faults{"gcs-backend-error": {Ops: []string{"objects.insert", "objects.compose"}, For: 300 * time.Millisecond}}},
		{"one-in-five-throttled", map[string]laws.Faults{"gcs-rate-limit": {Rate: 0.2}}},
		{"one-in-twenty-cut", map[string]laws.Faults{"gcs-reset": {Rate: 0.05}}},
	},
	laws.StoreAzure: {
		fair,
		{"commit-500", map[string]laws.Faults{"azure-internal-error": {Ops: []string{"Put Block List"}, Total: 1}}},
		{"commit-reset-done", map[string]laws.Faults{"azure-reset": {Ops: []string{"Put Block List"}, Total: 1, After: true}}},
		{"short-outages", map[string]laws.Faults{"azure-busy": {Ops: []string{"Put Blob", "Put Block", "Put Block List"}, For: 300 * time.Millisecond}}},
		{"one-in-five-throttled", map[string]laws.Faults{"azure-busy": {Rate: 0.2}}},
		{"one-in-twenty-cut", map[string]laws.Faults{"azure-reset": {Rate: 0.05}}},
	},
}

// pushWays are the ways of the clients that there are, and of what becomes of them.
var pushWays = []struct {
	name string
	push func(t *testing.T, c cloud, bucket string) (base string, pushed content)
}{
	{"put-small", pushedBy(content{64 * kib, 1}, 0)},
	{"put", pushedBy(content{12 * mib, 2}, 0)},
	{"patch-small", pushedBy(content{64 * kib, 3}, 64*kib)},
	{"patch", pushedBy(content{12 * mib, 4}, 12*mib)},
	{"two-patches", pushedBy(content{13 * mib, 5}, 7*mib)},
	{"patches-of-1MiB", pushedBy(content{8 * mib, 6}, mib)},
	{"disconnect", pushedAcrossACut},
	{"kill", pushedAcrossAKill},
}

// TestPushes pushes under the laws of each store, in its weathers, and pulls. Every push
// ends in 201, with no more than the repetitions that Retry-After asks for.
func TestPushes(t *testing.T) {
	t.Parallel()
	for _, j := range jurisdictions {
		for _, w := range j.weathers() {
			for _, way := range pushWays {
				if !full() && !slices.Contains(sampledPushes, j.name+"/"+w.name+"/"+way.name) {
					continue
				}
				s := j.store(laws.Options{Faults: w.faults, Seed: 1})
				t.Run(j.name+"/"+w.name+"/"+way.name, func(t *testing.T) {
					t.Parallel()
					s.run(t, func(t *testing.T) {
						c := s.open(t)
						bucket := c.newBucket(t)
						base, pushed := way.push(t, c, bucket)
						patiently(t, func() (reply, error) {
							res, err := send(t, http.MethodHead, base+"/v2/pushes/blobs/"+pushed.digest().String(), nil, nil, 0)
							return res, err
						}).want(t, http.StatusOK)
						wantBlob(t, look(t, plainly(t, c), bucket), blobKey(pushed.digest()), pushed.digest())
					})
				})
			}
		}
	}
}

// sampledPushes are those of each run.
var sampledPushes = []string{
	"s3-aws/fair/put-small", "s3-aws/fair/patch", "s3-aws/conflicts/put-small", "s3-aws/empty-result/put", "s3-aws/fair/kill",
	"s3-ceph/fair/patch", "s3-ceph/fair/kill", "s3-r2/fair/patch-small", "s3-unknown/fair/put-small",
	"gcs-laws/fair/patch-small", "gcs-laws/short-outages/put-small", "azure-laws/fair/patch", "azure-laws/short-outages/put",
}

// patiently sends a request, again for as long as the answer asks for that.
func patiently(t *testing.T, request func() (reply, error)) reply {
	t.Helper()
	const tries, longest = 5, 10 * time.Second
	for try := 1; ; try++ {
		res, err := request()
		if err != nil {
			t.Fatal(err)
		}
		wait, werr := strconv.Atoi(res.Header.Get("Retry-After"))
		if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable || werr != nil || try == tries {
			return res
		}
		t.Logf("%s: %s, again in %d s", res.Request.Method, res.Status, wait)
		time.Sleep(min(time.Duration(wait)*time.Second, longest))
	}
}

// upload is a client's view of an upload.
type upload struct {
	t  *testing.T
	at string // where it goes on
	c  content
}

func newUpload(t *testing.T, base string, c content) *upload {
	t.Helper()
	u := &upload{t: t, c: c}
	u.at = patiently(t, func() (reply, error) {
		return send(t, http.MethodPost, base+"/v2/pushes/blobs/uploads/", nil, nil, 0)
	}).want(t, http.StatusAccepted).location()
	return u
}

// patch sends the bytes from off to end.
func (u *upload) patch(off, end int64) {
	u.t.Helper()
	u.at = patiently(u.t, func() (reply, error) {
		return send(u.t, http.MethodPatch, u.at, nil, u.c.section(off, end-off), end-off)
	}).want(u.t, http.StatusAccepted).location()
}

// put sends the bytes from off on, and ends the upload.
func (u *upload) put(off int64) {
	u.t.Helper()
	patiently(u.t, func() (reply, error) {
		return send(u.t, http.MethodPut, withDigest(u.at, u.c.digest()), nil, u.c.section(off, u.c.size-off), u.c.size-off)
	}).want(u.t, http.StatusCreated)
}

// status asks how far the upload has got, and goes on from there.
func (u *upload) status() int64 {
	u.t.Helper()
	res := patiently(u.t, func() (reply, error) { return send(u.t, http.MethodGet, u.at, nil, nil, 0) }).want(u.t, http.StatusNoContent)
	u.at = res.location()
	var last int64
	if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &last); err != nil || last == 0 {
		return 0
	}
	return last + 1
}

// pushedBy pushes c in PATCHes of chunk bytes; with chunk 0 all comes with the PUT.
func pushedBy(c content, chunk int64) func(*testing.T, cloud, string) (string, content) {
	return func(t *testing.T, store cloud, bucket string) (string, content) {
		t.Helper()
		base := serve(t, inParts(t, store, bucket)).URL
		u := newUpload(t, base, c)
		off := int64(0)
		for ; chunk > 0 && off < c.size; off += chunk {
			u.patch(off, min(off+chunk, c.size))
		}
		u.put(min(off, c.size))
		return base, c
	}
}

// pushedAcrossACut has the client disconnect in the midst of a PATCH, and go on.
func pushedAcrossACut(t *testing.T, store cloud, bucket string) (string, content) {
	t.Helper()
	c := content{20 * mib, 7}
	base := serve(t, inParts(t, store, bucket)).URL
	u := newUpload(t, base, c)
	u.patch(0, 2*mib)
	body := io.MultiReader(c.section(2*mib, 11*mib), failingReader{})
	_, _ = send(t, http.MethodPatch, u.at, nil, body, c.size-2*mib) // is cut
	u.finish()
	return base, c
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// finish asks how far the upload has got, and sends the rest.
func (u *upload) finish() {
	u.t.Helper()
	if off := u.status(); off < u.c.size {
		u.patch(off, u.c.size)
	}
	u.put(u.c.size)
}

// pushedAcrossAKill has the registry die in the midst of a PATCH, and another go on.
func pushedAcrossAKill(t *testing.T, store cloud, bucket string) (string, content) {
	t.Helper()
	c := content{30 * mib, 8}
	env, config := store.env(t), byFile(t, store.bare(bucket)+smallParts)
	one, two := serving(t, env, config), serving(t, env, config)
	u := newUpload(t, one.url, c)
	u.patch(0, 6*mib)
	unfinished(t, u.at, c, 6*mib, 25*mib)
	time.Sleep(300 * time.Millisecond) // some of it reaches the store
	one.kill()
	u.at = onReplica(t, two.url, u.at)
	u.finish()
	return two.url, c
}
