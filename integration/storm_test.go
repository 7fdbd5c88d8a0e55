package integration_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/integration/laws"
)

// storm is a store that throttles one request in five, resets one connection in twenty after
// it has executed the request, and fails all requests for 300 ms every 5 s.
func storm(maker laws.Store) map[string]laws.Faults {
	const throttled, cut = 0.2, 0.05
	outages := laws.Faults{For: 300 * time.Millisecond, Every: 5 * time.Second}
	switch maker {
	case laws.StoreGCS:
		return map[string]laws.Faults{"gcs-rate-limit": {Rate: throttled}, "gcs-reset": {Rate: cut, After: true}, "gcs-backend-error": outages}
	case laws.StoreAzure:
		return map[string]laws.Faults{"azure-busy": {Rate: throttled}, "azure-reset": {Rate: cut, After: true}, "azure-timeout": outages}
	default:
		return map[string]laws.Faults{"slow-down": {Rate: throttled}, "reset": {Rate: cut, After: true}, "unavailable": outages}
	}
}

// TestStorm pushes in every way, by several clients at once, to a registry whose store is
// throttling, cutting and failing all the time. The clients repeat nothing, and none of
// their requests fails.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		pushes, many int // in ordinary runs, and in full ones
	}{{"s3-aws", 60, 500}, {"gcs-laws", 0, 200}, {"azure-laws", 0, 200}} {
		pushes := tt.pushes
		if full() {
			pushes = tt.many
		}
		if pushes == 0 {
			continue
		}
		for _, j := range jurisdictions {
			if j.name != tt.name {
				continue
			}
			t.Run(j.name, func(t *testing.T) {
				t.Parallel()
				c, enforcer := j.open(t, laws.Options{Faults: storm(j.maker), Seed: 1})
				bucket := plainly(t, c).newBucket(t)
				p := serving(t, c.env(t), byFile(t, c.bare(bucket)+smallParts))
				began := time.Now()
				var wg sync.WaitGroup
				var mu sync.Mutex
				failed := 0
				pushed := make(map[digest.Digest]struct{})
				const clients = 8
				for client := range clients {
					wg.Go(func() {
						for i := client; i < pushes; i += clients {
							way := stormWays[i%len(stormWays)]
							blob, err := way.push(t, p.url, uint64(i))
							mu.Lock()
							if err != nil {
								failed++
								t.Errorf("push %d, %s, after %v: %v", i, way.name, time.Since(began).Round(time.Second), err)
							}
							pushed[blob] = struct{}{}
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				refused := 0
				for law := range storm(j.maker) {
					t.Logf("%s: %d requests failed", law, enforcer.Refused(law))
					refused += enforcer.Refused(law)
				}
				t.Logf("%d pushes, %d failed, in %v; %d requests to the store failed", pushes, failed, time.Since(began).Round(time.Second), refused)
				if refused < pushes {
					t.Errorf("%d requests to the store failed, want more than there were pushes: %d", refused, pushes)
				}
				inside := look(t, plainly(t, c), bucket)
				for d := range maps.Keys(pushed) {
					wantBlob(t, inside, blobKey(d), d)
				}
			})
		}
	}
}

// stormWays are the ways to push; one in ten of the pushes is large. Each returns the blob
// that was pushed.
var stormWays = []struct {
	name string
	push func(t *testing.T, base string, seed uint64) (digest.Digest, error)
}{
	{"put-small", storming(64*kib, 0, true)},
	{"patch-small", storming(64*kib, 64*kib, true)},
	{"put", storming(6*mib, 0, true)},
	{"same", func(t *testing.T, base string, seed uint64) (digest.Digest, error) {
		return storming(64*kib, 0, true)(t, base, 1_000_000+seed/40) // by several clients at once
	}},
	{"image", stormedImage},
	{"patch-small", storming(100*kib, 64*kib, true)},
	{"patch", storming(7*mib, 7*mib, false)},
	{"put-tiny", storming(8, 0, true)},
	{"patches-of-1MiB", storming(3*mib, mib, true)},
	{"image", stormedImage},
}

// storming pushes a blob in PATCHes of chunk bytes; with chunk 0 all comes with the PUT.
// tell is whether the client tells the length of a PATCH.
func storming(size, chunk int64, tell bool) func(t *testing.T, base string, seed uint64) (digest.Digest, error) {
	return func(t *testing.T, base string, seed uint64) (digest.Digest, error) {
		c := content{size, seed}
		at, err := post(t, base, "storm")
		if err != nil {
			return c.digest(), err
		}
		off := int64(0)
		for ; chunk > 0 && off < size; off += chunk {
			n := min(chunk, size-off)
			told := n
			if !tell {
				told = -1
			}
			if at, err = answered(send(t, http.MethodPatch, at, nil, c.section(off, n), told))(http.StatusAccepted); err != nil {
				return c.digest(), err
			}
		}
		off = min(off, size)
		_, err = answered(send(t, http.MethodPut, withDigest(at, c.digest()), nil, c.section(off, size-off), size-off))(http.StatusCreated)
		return c.digest(), err
	}
}

// stormedImage pushes an image of one layer, whose config all images have.
func stormedImage(t *testing.T, base string, seed uint64) (digest.Digest, error) {
	config, err := storming(1000, 0, true)(t, base, 2_000_000)
	if err != nil {
		return config, err
	}
	layer, err := storming(10*kib, 0, true)(t, base, seed)
	if err != nil {
		return layer, err
	}
	if _, err := answered(send(t, http.MethodHead, base+"/v2/storm/blobs/"+layer.String(), nil, nil, 0))(http.StatusOK); err != nil {
		return layer, err
	}
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":1000},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":10240}]}`, mediaType, config, layer)
	_, err = answered(send(t, http.MethodPut, fmt.Sprintf("%s/v2/storm/manifests/v%d", base, seed), map[string]string{"Content-Type": mediaType}, strings.NewReader(text), int64(len(text))))(http.StatusCreated)
	return layer, err
}

// answered is where an answer leads that has the status.
func answered(res reply, err error) func(want int) (location string, _ error) {
	return func(want int) (string, error) {
		switch {
		case err != nil:
			return "", err
		case res.StatusCode != want:
			return "", fmt.Errorf("%s %s: %s, want %d: %.300q", res.Request.Method, res.Request.URL.Path, res.Status, want, res.body)
		}
		return res.location(), nil
	}
}
