package integration_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
)

// TestKills kills a registry under load with kill -9 at random moments, and in
// some rounds MinIO itself. Another replica then has everything that was
// acknowledged, uploads go on from there, and a sweep finds all that is left.
func TestKills(t *testing.T) {
	onEach(t, func(t *testing.T, store cloud) {
		k := &killing{store: store, rounds: 1, random: rand.New(rand.NewPCG(1, 2))}
		if c, ok := store.(s3Cloud); ok && !c.lawful {
			k.minio = emulator.NewMinIO(t) // one that may be killed, too
			k.store, k.rounds = onMinIO(k.minio.S3), 3
		}
		if full() {
			k.rounds = 50
		}
		k.run(t)
	})
}

type killing struct {
	store  cloud
	minio  *emulator.MinIO // nil where the store keeps nothing once it is killed
	rounds int
	random *rand.Rand

	blobs, resumed, orphans, late, anew int
}

const pushers = 6

func (k *killing) run(t *testing.T) {
	bucket := k.store.newBucket(t)
	env, config := k.store.env(t), byFile(t, k.store.bare(bucket)+smallParts)
	witness := serving(t, env, config)
	// A few rounds more where chance has left nothing to go on with.
	const more = 5
	for round := 0; round < k.rounds || k.resumed == 0 && round < k.rounds+more; round++ {
		victim := serving(t, env, config)
		loads := make([]*load, pushers)
		var wg sync.WaitGroup
		for i := range loads {
			loads[i] = &load{random: rand.New(rand.NewPCG(uint64(round), uint64(i))), seed: uint64(round*pushers+i) << 16}
			wg.Go(func() { loads[i].run(t, victim.url) })
		}
		time.Sleep(time.Duration(100+k.random.IntN(1200)) * time.Millisecond)
		if k.minio != nil && round%3 == 2 {
			k.minio.Stop(t)
			time.Sleep(100 * time.Millisecond) // pushes fail meanwhile
			victim.kill()
			wg.Wait()
			k.minio.Restart(t)
		} else {
			victim.kill()
			wg.Wait()
		}
		for _, l := range loads {
			k.judge(t, witness.url, l)
		}
		if t.Failed() {
			t.Fatalf("in round %d\n%s", round, victim.stderr.String())
		}
	}
	inside := look(t, k.store, bucket)
	k.sweep(t, inside)
	t.Logf("%d rounds: %d blobs acknowledged and there, %d uploads went on, %d of them from the start, %d left for the sweep",
		k.rounds, k.blobs, k.resumed, k.anew, k.orphans)
	if k.blobs == 0 || k.resumed == 0 {
		t.Error("the load does not tell anything")
	}
}

// judge looks at what one client was told, by another replica.
func (k *killing) judge(t *testing.T, base string, l *load) {
	t.Helper()
	for _, c := range l.done {
		pull(t, base, "kills", c.digest(), c.size)
		k.blobs++
	}
	if l.at == "" {
		return
	}
	at := onReplica(t, base, l.at)
	res := do(t, http.MethodGet, at, nil, nil)
	if res.StatusCode == http.StatusNotFound && l.ending {
		// It had got to the end, and only the answer is missing.
		k.push(t, base, l.content)
		return
	}
	res.want(t, http.StatusNoContent)
	last := int64(-1)
	if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &last); err != nil && res.Header.Get("Range") != "" {
		t.Fatalf("Range %q: %v", res.Header.Get("Range"), err)
	}
	if last == 0 {
		last = -1 // distribution's word for nothing
	}
	if last+1 < l.acknowledged || last+1 > l.content.size {
		t.Errorf("the upload is at %d, of which %d were acknowledged, and %d are all", last+1, l.acknowledged, l.content.size)
	}
	if k.orphans < k.resumed {
		k.orphans++
		return // abandoned
	}
	if !k.goOn(t, res.location(), l.content, last+1) {
		// A request of the dead was still on its way into the store.
		k.late++
		if k.late > k.rounds {
			t.Error("uploads that nobody else writes to are changed all the time")
		}
		k.judge(t, base, &load{content: l.content, at: l.at, acknowledged: l.acknowledged, ending: l.ending})
		return
	}
	pull(t, base, "kills", l.content.digest(), l.content.size)
	k.resumed++
}

// goOn sends the rest of an upload. It is false when the upload was changed meanwhile.
func (k *killing) goOn(t *testing.T, at string, c content, from int64) bool {
	t.Helper()
	var res reply
	if from < c.size {
		res = do(t, http.MethodPatch, at, nil, c.section(from, c.size-from))
		at = res.location()
	}
	if res.Response == nil || res.StatusCode == http.StatusAccepted {
		res = do(t, http.MethodPut, withDigest(at, c.digest()), nil, nil)
	}
	switch res.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		return false
	case http.StatusNotFound:
		// The dead had put the parts together, and not come to publish them.
		push(t, base(at), "kills", c, 0)
		k.anew++
	default:
		res.want(t, http.StatusCreated)
	}
	return true
}

// base is the address of the registry that at is of.
func base(at string) string {
	b, _, _ := strings.Cut(at, "/v2/")
	return b
}

func (k *killing) push(t *testing.T, base string, c content) {
	t.Helper()
	push(t, base, "kills", c, 0)
	pull(t, base, "kills", c.digest(), c.size)
}

// sweep removes what was abandoned. Nothing but blobs and links is left, and the
// blobs are right.
func (k *killing) sweep(t *testing.T, inside driver.Bucket) {
	t.Helper()
	before := keys(t, inside) // MinIO tells uploads by their exact key alone
	if _, err := engine(t, inside, 0).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
		t.Fatalf("sweep: %v", err)
	}
	at := []string{""}
	for _, key := range before {
		at = append(at, strings.TrimSuffix(key, "session")+"data")
	}
	for _, key := range keys(t, inside) {
		if rest, ok := strings.CutPrefix(key, "docker/registry/v2/blobs/sha256/"); ok {
			at = append(at, key)
			wantBlob(t, inside, key, digest.NewDigestFromEncoded(digest.SHA256, strings.Split(rest, "/")[1]))
		} else if !strings.HasSuffix(key, "/link") {
			t.Errorf("%s is left", key)
		}
	}
	for _, u := range uploads(t, inside, at...) {
		if !isAzure(k.store) || !strings.Contains(u.Key, "/blobs/") { // these Azure drops itself
			t.Errorf("parts at %s are left", u.Key)
		}
	}
}

// load is a client that pushes one blob after the other, until the registry is gone.
type load struct {
	random *rand.Rand
	seed   uint64
	done   []content // were answered by 201

	// The push that was under way at the end.
	content      content
	at           string // its upload, if that was acknowledged
	acknowledged int64  // bytes
	ending       bool   // the PUT was sent
}

// most bounds a client whose registry never goes away.
const most = 500

func (l *load) run(t *testing.T, base string) {
	for range most {
		sizes := []int64{4 * kib, 300 * kib, 6 * mib, 17 * mib}
		l.seed++
		l.content = content{sizes[l.random.IntN(len(sizes))] + l.random.Int64N(5000), l.seed}
		l.at, l.acknowledged, l.ending = "", 0, false
		chunks := l.random.Int64N(4) // none is by POST and PUT
		if err := l.push(t, base, chunks); err != nil {
			return
		}
		l.done = append(l.done, l.content)
	}
	t.Errorf("a client has pushed %d blobs and the registry still runs", most)
}

func (l *load) push(t *testing.T, base string, chunks int64) (err error) {
	c := l.content
	if l.at, err = post(t, base, "kills"); err != nil {
		l.at = ""
		return err
	}
	for i := range chunks {
		from, to := c.size*i/chunks, c.size*(i+1)/chunks
		length := to - from
		if chunks == 1 && c.seed%2 == 0 {
			length = -1 // as a docker client does
		}
		res, err := send(t, http.MethodPatch, l.at, nil, c.section(from, to-from), length)
		if err != nil || res.StatusCode != http.StatusAccepted {
			return fmt.Errorf("PATCH: %v, %w", res.Response, err)
		}
		l.at, l.acknowledged = res.location(), to
	}
	l.ending = true
	body := c.section(l.acknowledged, c.size-l.acknowledged)
	res, err := send(t, http.MethodPut, withDigest(l.at, c.digest()), nil, body, body.Size())
	if err != nil || res.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT: %v, %w", res.Response, err)
	}
	return nil
}
