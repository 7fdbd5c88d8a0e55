package upload

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/layout"
)

var modelSeed = flag.Uint64("model.seed", 0, "the only seed that TestModel runs")

// TestModel has clients push, race, disconnect, repeat, give up and cancel through several
// replicas of the engine, on the imitation of each store, while the store fails, loses
// answers, throttles and delivers damaged states, others leave truncated blobs, replicas
// are killed, and sweeps run. After each run:
//
//   - nothing is under a digest but what has it,
//   - what was acknowledged and not ended is there, and can be committed; a verdict has
//     ended nothing but its branch,
//   - what was answered by success is published and linked,
//   - once all is swept, nothing of the uploads is left, and no memory is held.
func TestModel(t *testing.T) {
	seeds := 40
	if os.Getenv("BLOBDOCK_TEST_FULL") != "" {
		seeds = 1300 // on 8 stores
	}
	for _, name := range slices.Sorted(maps.Keys(mem.Imitations())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, last := uint64(1), uint64(seeds)
			if *modelSeed != 0 {
				first, last = *modelSeed, *modelSeed
			}
			for seed := first; seed <= last && !t.Failed(); seed++ {
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("repeat with -run 'TestModel/%s' -model.seed=%d", name, seed)
						}
					}()
					runModel(t, mem.Imitations()[name], seed)
				})
			}
		})
	}
}

// model is what the clients know.
type model struct {
	t       *testing.T
	rand    *rand.Rand
	options mem.Options
	bucket  driver.Bucket // without the storm
	storm   *storm
	engines []*Engine
	budgets []*memory.Budget
	kills   []chan struct{} // closed when the replica dies
	looker  *Engine         // without the storm, to look at states
	parts   int64           // that the budget has room for

	mu      sync.Mutex
	deletes int                      // blobs that were deleted or truncated by others
	planted map[digest.Digest][]byte // what others have left under digests
	uploads []*modelUpload
}

// log tells of a request when a single seed is looked at.
func (m *model) log(format string, args ...any) {
	if *modelSeed != 0 {
		m.t.Logf(time.Now().Format("15:04:05.000 ")+format, args...)
	}
}

func runModel(t *testing.T, o mem.Options, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model{t: t, rand: r, options: small(o), bucket: mem.NewWith(small(o)), planted: make(map[digest.Digest][]byte)}
	// Half of the stores that have multipart uploads list them by their key alone.
	m.bucket = driver.WithFeatures(m.bucket, func(f *driver.Features) {
		f.UploadsByKey = f.Concat == nil && seed%2 == 0
	})
	m.storm = &storm{rand: rand.New(rand.NewPCG(seed, 2))}
	m.engines, m.budgets, m.kills = make([]*Engine, 3), make([]*memory.Budget, 3), make([]chan struct{}, 3)
	m.parts = []int64{5, 8, 16}[r.IntN(3)]
	m.looker = New(m.bucket, testOptions(memory.New(1<<20)))
	for i := range m.engines {
		m.start(i)
	}
	clients := 1 + r.IntN(3)
	var wg sync.WaitGroup
	for c := range clients {
		cr := rand.New(rand.NewPCG(seed, uint64(10+c)))
		wg.Go(func() {
			for range 12 {
				m.step(cr)
			}
		})
	}
	wg.Wait()
	m.storm.mu.Lock()
	m.storm.calm = true
	m.storm.mu.Unlock()
	m.judge()
}

// start makes replica i, or makes it anew as after a crash.
func (m *model) start(i int) {
	m.budgets[i], m.kills[i] = memory.New(m.parts*testPart), make(chan struct{})
	o := testOptions(m.budgets[i])
	o.Retry = retry.Policy{Attempts: 3}
	m.engines[i] = New(retry.Wrap(killable(m.storm.wrap(m.bucket), m.kills[i]), o.Retry), o)
}

func (m *model) engine(r *rand.Rand) *Engine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.engines[r.IntN(len(m.engines))]
}

// step is one request of a client's.
func (m *model) step(r *rand.Rand) {
	u, id, content := m.pick(r)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if r.IntN(8) == 0 { // the client goes away
		d := time.Duration(r.IntN(200)) * time.Millisecond
		time.AfterFunc(d, cancel)
	}
	switch k := r.IntN(22); {
	case u == nil || k < 2:
		m.create(r)
	case k < 10:
		m.patch(ctx, r, u, id, content)
	case k < 15:
		m.commit(ctx, r, u, id, content)
	case k < 16:
		m.cancel(ctx, r, u, id)
	case k < 18:
		m.status(ctx, r, u, id, content)
	case k < 19:
		m.mu.Lock()
		i := r.IntN(len(m.engines))
		close(m.kills[i])
		m.start(i)
		m.mu.Unlock()
	case k == 19:
		// Nothing is that old but what rests.
		if r.IntN(4) == 0 {
			m.expire()
			time.Sleep(DefaultMaxAge + 25*time.Hour)
			m.expire()
		}
		_, _ = m.engine(r).Sweep(context.Background(), SweepOptions{Age: DefaultMaxAge + 24*time.Hour})
	case k == 20 && r.IntN(4) == 0:
		m.deleteBlob(r)
	case k == 20:
		m.closed(ctx, r, u, id, content)
	default:
		// A writer that distribution drops.
		w, err := m.engine(r).Resume(ctx, "repo", id, Request{Length: -1})
		if err == nil {
			_ = w.Size()
		}
	}
}

// pick chooses an upload, mostly one of the newest, and one of its ids.
func (m *model) pick(r *rand.Rand) (*modelUpload, string, []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.uploads) == 0 {
		return nil, "", nil
	}
	u := m.uploads[len(m.uploads)-1-r.IntN(min(2, len(m.uploads)))]
	ids := slices.SortedFunc(maps.Keys(u.ids), func(a, b string) int { return len(u.ids[b]) - len(u.ids[a]) })
	id := ids[0]
	if r.IntN(4) == 0 {
		id = ids[r.IntN(len(ids))]
	}
	return u, id, u.ids[id]
}

// expire notes that all uploads may be too old soon, or are.
func (m *model) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.uploads {
		u.ended = true
	}
}

// deleteBlob deletes a blob, as garbage collection does.
func (m *model) deleteBlob(r *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := layout.Layout{Root: "root"}
	var keys []string
	for e, err := range driver.List(context.Background(), m.bucket, driver.ListRequest{Prefix: l.Blobs()}) {
		if err != nil {
			m.t.Error(err)
			return
		}
		keys = append(keys, e.Key)
	}
	if len(keys) == 0 {
		return
	}
	m.deletes++
	if err := m.bucket.Delete(context.Background(), keys[r.IntN(len(keys))], driver.DeleteOptions{}); err != nil && !errors.Is(err, driver.Throttled) {
		m.t.Error(err)
	}
}

// plant leaves a truncated blob, as a tool that copies buckets does when it dies. Where the
// store reports checksums it may be a blob of other bytes, unless the digest was published:
// a PUT that is repeated has nothing but the digest to compare with.
func (m *model) plant(d digest.Digest, content []byte, other bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := layout.Layout{Root: "root"}
	key := l.Blob(d)
	bad := content[:len(content)/2]
	_, err := m.bucket.Stat(context.Background(), l.LayerLink("repo", d))
	switch {
	case len(content) == 0:
		bad = []byte("x")
	case other && m.bucket.Features().StatChecksums != nil && errors.Is(err, driver.NotFound):
		bad = flippedByte(content)
	}
	m.deletes++
	if _, err := m.bucket.Put(context.Background(), key, io.NewSectionReader(bytes.NewReader(bad), 0, int64(len(bad))), driver.WriteOptions{}); errors.Is(err, driver.Throttled) {
		return
	} else if err != nil {
		m.t.Error(err)
	}
	m.planted[d] = bad
}

func (m *model) deleted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.deletes
}

// judge looks at what there is, when the storm is over.
func (m *model) judge() {
	ctx := context.Background()
	time.Sleep(time.Minute) // what still goes on in the background
	l := layout.Layout{Root: "root"}
	for e, err := range driver.List(ctx, m.bucket, driver.ListRequest{Prefix: l.Blobs()}) {
		if err != nil {
			m.t.Fatal(err)
		}
		rd, err := m.bucket.Open(ctx, e.Key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			m.t.Fatal(err)
		}
		name, _ := l.Parse(e.Key)
		p, err := io.ReadAll(rd)
		_ = rd.Close()
		if got := name.Digest.Algorithm().FromBytes(p); err != nil || got != name.Digest && !bytes.Equal(p, m.planted[name.Digest]) {
			m.t.Errorf("%s holds %d bytes of %s (%v)", e.Key, len(p), got, err)
		}
	}
	// Acknowledged bytes can be committed, by a replica that knows nothing of them.
	m.start(0)
	for _, u := range m.uploads {
		if u.ended {
			continue
		}
		var longest string
		for _, id := range slices.Sorted(maps.Keys(u.ids)) {
			if u.gone(id) {
				continue
			}
			p, err := m.engines[0].Status(ctx, "repo", id)
			if err != nil || p.Size < int64(len(u.ids[id])) {
				m.t.Errorf("%s, %d bytes of which were acknowledged: %+v, %v", id, len(u.ids[id]), p, err)
				continue
			}
			m.found(m.begin(u, id, false), p.ID, p.Size)
			m.readable(id, u.ids[id])
		}
		for _, id := range slices.Sorted(maps.Keys(u.ids)) {
			if !u.gone(id) && (longest == "" || len(u.ids[id]) > len(u.ids[longest])) {
				longest = id
			}
		}
		content := u.ids[longest]
		d := digest.FromBytes(content)
		if err := m.put(ctx, m.rand, longest, d, 0, nil); err != nil {
			m.t.Errorf("commit of %s, which was acknowledged: %v", longest, err)
			continue
		}
		m.published(d, content, true)
	}
	for i, e := range m.engines {
		if err := e.Close(ctx); err != nil {
			m.t.Error(err)
		}
		if u := m.budgets[i].Usage(); u.Used != 0 || u.Waiting != 0 {
			m.t.Errorf("replica %d: %+v", i, u)
		}
	}
	time.Sleep(time.Hour)
	o := testOptions(memory.New(1 << 20))
	e := New(retry.Wrap(m.bucket, retry.Policy{}), o)
	if _, err := e.Sweep(ctx, SweepOptions{Age: time.Minute}); err != nil {
		m.t.Errorf("sweep: %v", err)
	}
	for entry, err := range driver.List(ctx, m.bucket, driver.ListRequest{}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if strings.HasPrefix(entry.Key, l.Uploads()) {
			m.t.Errorf("%s is left", entry.Key)
		}
	}
	for u, err := range driver.ListUploads(ctx, m.bucket, driver.ListRequest{}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if m.bucket.Features().UploadsByKey {
			m.t.Errorf("a multipart upload to %s is left: %+v", u.Key, u)
		}
	}
	if err := e.Close(ctx); err != nil {
		m.t.Error(err)
	}
}
