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
	if j.maker == laws.StoreS3 && j.name != "s3-aws" {
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
	push func(*pusher)
}{
	{"put-small", pushedBy(content{64 * kib, 1}, 0)},
	{"put", pushedBy(content{12 * mib, 2}, 0)},
	{"patch-small", pushedBy(content{64 * kib, 3}, 64*kib)},
	{"patch", pushedBy(content{12 * mib, 4}, 12*mib)},
	{"two-patches", pushedBy(content{13 * mib, 5}, 7*mib)},
	{"patches-of-1MiB", pushedBy(content{8 * mib, 6}, mib)},
	{"disconnect", pushedAcrossACut},
	{"kill", pushedAcrossAKill(6 * mib)},
	{"kill-first", pushedAcrossAKill(0)},
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
						bucket := plainly(t, c).newBucket(t)
						p := &pusher{
							t: t, patient: w.faults != nil,
							registry: func() string { return serve(t, inParts(t, c, bucket)).URL },
							process:  func() *process { return serving(t, c.env(t), byFile(t, c.bare(bucket)+smallParts)) },
						}
						way.push(p)
						p.again(func() (reply, error) {
							return send(t, http.MethodHead, p.base+"/v2/pushes/blobs/"+p.content.digest().String(), nil, nil, 0)
						}).want(t, http.StatusOK)
						wantBlob(t, look(t, plainly(t, c), bucket), blobKey(p.content.digest()), p.content.digest())
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

// pusher is a client that pushes content, and the registry that it pushes to.
type pusher struct {
	t       *testing.T
	patient bool // it repeats requests when the answer asks for that

	registry func() string   // starts a registry, and returns its address
	process  func() *process // starts one in a process of its own

	base    string
	at      string // where the upload goes on
	content content
}

// again sends a request, again for as long as the answer asks for that.
func (p *pusher) again(request func() (reply, error)) reply {
	p.t.Helper()
	const tries, longest = 5, 10 * time.Second
	for try := 1; ; try++ {
		res, err := request()
		if err != nil {
			p.t.Fatal(err)
		}
		wait, werr := strconv.Atoi(res.Header.Get("Retry-After"))
		if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable || werr != nil || try == tries || !p.patient {
			return res
		}
		p.t.Logf("%s: %s, again in %d s", res.Request.Method, res.Status, wait)
		time.Sleep(min(time.Duration(wait)*time.Second, longest))
	}
}

func (p *pusher) begin(base string, c content) {
	p.t.Helper()
	p.base, p.content = base, c
	p.at = p.again(func() (reply, error) {
		return send(p.t, http.MethodPost, base+"/v2/pushes/blobs/uploads/", nil, nil, 0)
	}).want(p.t, http.StatusAccepted).location()
}

// patch sends the bytes from off to end.
func (p *pusher) patch(off, end int64) {
	p.t.Helper()
	p.at = p.again(func() (reply, error) {
		return send(p.t, http.MethodPatch, p.at, nil, p.content.section(off, end-off), end-off)
	}).want(p.t, http.StatusAccepted).location()
}

// put sends the bytes from off on, and ends the upload.
func (p *pusher) put(off int64) {
	p.t.Helper()
	p.again(func() (reply, error) {
		return send(p.t, http.MethodPut, withDigest(p.at, p.content.digest()), nil, p.content.section(off, p.content.size-off), p.content.size-off)
	}).want(p.t, http.StatusCreated)
}

// finish asks how far the upload has got, and sends the rest. While the request that broke
// off is still being worked on, the answer may be 416: the client asks again.
func (p *pusher) finish() {
	p.t.Helper()
	for range 5 {
		res := p.again(func() (reply, error) { return send(p.t, http.MethodGet, p.at, nil, nil, 0) }).want(p.t, http.StatusNoContent)
		at, off := res.location(), int64(0)
		if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &off); err == nil && off > 0 {
			off++
		}
		if off < p.content.size {
			res = p.again(func() (reply, error) {
				return send(p.t, http.MethodPatch, at, nil, p.content.section(off, p.content.size-off), p.content.size-off)
			})
			if res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
				time.Sleep(200 * time.Millisecond)
				continue
			}
			at = res.want(p.t, http.StatusAccepted).location()
		}
		p.at = at
		p.put(p.content.size)
		return
	}
	p.t.Fatal("the upload is changed all the time")
}

// pushedBy pushes c in PATCHes of chunk bytes; with chunk 0 all comes with the PUT.
func pushedBy(c content, chunk int64) func(*pusher) {
	return func(p *pusher) {
		p.t.Helper()
		p.begin(p.registry(), c)
		off := int64(0)
		for ; chunk > 0 && off < c.size; off += chunk {
			p.patch(off, min(off+chunk, c.size))
		}
		p.put(min(off, c.size))
	}
}

// pushedAcrossACut has the client disconnect in the midst of a PATCH, and go on.
func pushedAcrossACut(p *pusher) {
	p.t.Helper()
	c := content{20 * mib, 7}
	p.begin(p.registry(), c)
	p.patch(0, 2*mib)
	body := io.MultiReader(c.section(2*mib, 11*mib), failingReader{})
	_, _ = send(p.t, http.MethodPatch, p.at, nil, body, c.size-2*mib) // is cut
	p.finish()
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// pushedAcrossAKill has the registry die in the midst of a PATCH, after one of so many
// bytes or none, and another go on.
func pushedAcrossAKill(first int64) func(*pusher) {
	return func(p *pusher) {
		p.t.Helper()
		c := content{30 * mib, 8}
		one, two := p.process(), p.process()
		p.begin(one.url, c)
		if first > 0 {
			p.patch(0, first)
		}
		unfinished(p.t, p.at, c, first, 25*mib)
		time.Sleep(300 * time.Millisecond) // some of it reaches the store
		one.kill()
		p.base, p.at = two.url, onReplica(p.t, two.url, p.at)
		p.finish()
	}
}
