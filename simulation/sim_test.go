package simulation_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/storm"
)

var (
	onlySeed  = flag.Uint64("sim.seed", 0, "the only seed that runs")
	onlyStore = flag.String("sim.store", "", "the only store that is imitated")
	seeds     = flag.Int("sim.seeds", 1000, "how many seeds run, on all stores together")
	from      = flag.Uint64("sim.from", 1, "the first of the seeds")
)

// imitated are the stores, by mem.Imitations. On those without conditions nothing is collected.
var imitated = []string{"azure", "ceph", "file", "gcs", "minio", "plain", "r2"}

var keys = layout.Layout{Root: layout.DefaultRoot}

// TestSystem runs seeds on the imitation of each store. In each of them:
//
//   - A body that is served has the digest that was asked for, always.
//   - What was answered 201 and is still referred to is whole: when it was answered, and at the end.
//   - The bytes of an upload that were acknowledged are there until it ends.
//   - Nothing fails for a client unless something was done to its request, or it took longer than it may.
//   - What is wrong is refused, and leaves nothing behind that is served.
//   - At the end a copy in another bucket is whole, too; a check finds no damage; and what the sweeper and the
//     collector leave is what something refers to.
//   - Memory and goroutines go back to nothing.
func TestSystem(t *testing.T) { system(t, *from, *seeds) }

// TestSystemRaced is a few seeds of TestSystem, for the race detector, which takes ten times as long.
func TestSystemRaced(t *testing.T) { system(t, 1_000_000, 10*len(imitated)) }

func system(t *testing.T, from uint64, seeds int) {
	began := time.Now()
	done := 0
	for _, name := range imitated {
		if *onlyStore != "" && name != *onlyStore {
			continue
		}
		t.Run(name, func(t *testing.T) {
			first, last := from, from+uint64(seeds/len(imitated))
			if *onlySeed != 0 {
				first, last = *onlySeed, *onlySeed+1
			}
			for seed := first; seed < last && !t.Failed(); seed++ {
				synctest.Test(t, func(t *testing.T) { simulate(t, name, seed) })
				if done++; done%1000 == 0 {
					t.Logf("%d seeds, %.0f a second", done, float64(done)/time.Since(began).Seconds())
				}
			}
		})
	}
}

// sim is one seed.
type sim struct {
	t      *testing.T
	store  string
	seed   uint64
	rand   *rand.Rand // of what is set up
	bucket driver.Bucket
	backup driver.Bucket // that copies go to

	wait, age time.Duration // of the collector
	weather   storm.Weather
	calm      atomic.Bool
	untagged  bool // some collector deletes untagged manifests
	jumps     bool // the store's clock does
	upgrade   bool // replicas come back as a version that writes another format
	world     *storm.World
	hollow    map[digest.Digest]bool // blobs that begin empty, or cut short
	doomed    chan digest.Digest     // of what a collector is about to condemn or to delete, for clients that want it
	storm.Ledger

	mu       sync.Mutex
	calls    []storm.Call
	told     []string
	replicas []*replica
	all      []*replica // the dead ones too
}

const day = 24 * time.Hour

func simulate(t *testing.T, store string, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &sim{t: t, store: store, seed: seed, rand: r, wait: 12 * time.Minute, age: time.Hour, doomed: make(chan digest.Digest)}
	var err error
	s.world, err = storm.NewWorld(r, []string{"a", "b/c"}[:1+r.IntN(2)], []string{"v1", nightly}[:1+r.IntN(2)], texts())
	if err != nil {
		t.Fatal(err)
	}
	if r.IntN(5) == 0 {
		s.wait, s.age = time.Hour, day
	}
	switch r.IntN(3) {
	case 1:
		s.weather = storm.Weather{Pause: 0.003, Fail: 0.002, Lose: 0.002, Kill: 0.0005}
	case 2:
		s.weather = storm.Weather{Pause: 0.01, Fail: 0.01, Lose: 0.01, Kill: 0.003}
	}
	s.jumps, s.upgrade = r.IntN(4) == 0, r.IntN(4) == 0
	o := mem.Imitations()[store]
	o.Parts = driver.PartLimits{MinSize: 1, MaxSize: 1 << 20, MaxParts: 1000, MaxObject: 1 << 30, MaxPut: 1 << 20, Uniform: o.Parts.Uniform}
	inPieces := func(f *driver.Features) { f.PartSize = partSize }
	s.bucket, s.backup = s.clocked(driver.WithFeatures(mem.NewWith(o), inPieces)), driver.WithFeatures(mem.NewWith(o), inPieces)

	if r.IntN(3) == 0 {
		s.leaveHollow()
	}
	for i := range 1 + r.IntN(3) {
		s.replicas = append(s.replicas, nil)
		s.start(i, 0)
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients, operators sync.WaitGroup
	for i, operate := range s.operators() {
		or := rand.New(rand.NewPCG(seed, uint64(100+i)))
		operators.Go(func() { operate(ctx, or, i) })
	}
	for i := range 1 + r.IntN(3) {
		c := &client{sim: s, name: fmt.Sprintf("client %d", i), rand: rand.New(rand.NewPCG(seed, uint64(200+i)))}
		clients.Go(func() { c.run(8) })
	}
	clients.Wait()
	s.calm.Store(true)
	stop()
	operators.Wait()
	s.end()
	for _, r := range s.all {
		r.close()
	}
}

// leaveHollow puts what other registries have left at the keys of some layers: nothing, or a part.
func (s *sim) leaveHollow() {
	s.hollow = make(map[digest.Digest]bool)
	for _, layer := range s.world.Layers {
		d, text := layer.Digest, s.world.Texts[layer.Digest]
		if text == "" || s.rand.IntN(2) == 0 {
			continue
		}
		short := text[:s.rand.IntN(2)*len(text)/2]
		if _, err := s.bucket.Put(s.t.Context(), keys.Blob(d), io.NewSectionReader(strings.NewReader(short), 0, int64(len(short))), driver.WriteOptions{}); err != nil {
			s.t.Fatal(err)
		}
		s.hollow[d] = true
	}
}

// texts are of layers of several sizes: in one piece, in several, and empty.
func texts() []string {
	var all []string
	for i, size := range []int{100, partSize - 1, 2*partSize + 10, 0, 5 * partSize} {
		all = append(all, strings.Repeat(fmt.Sprintf("%d", i), size))
	}
	return all
}

// nightly is the tag that retention deletes.
const nightly = "nightly"

func (s *sim) forecast(driver.Op) storm.Weather {
	if s.calm.Load() {
		return storm.Weather{}
	}
	return s.weather
}

func (s *sim) process(name string) *storm.Process {
	return &storm.Process{Name: name, Seed: s.seed, Longest: 4 * s.wait, Weather: s.forecast, Note: s.note}
}

func (s *sim) note(c storm.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

// tell notes what is done, for the history.
func (s *sim) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, stamp(time.Now())+fmt.Sprintf(format, args...))
}

func stamp(t time.Time) string { return t.UTC().Format("02 15:04:05.000 ") }

// fail ends the test with the history of what is about some digests.
func (s *sim) fail(about []digest.Digest, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.t.Failed() {
		return
	}
	history := slices.Clone(s.told)
	for _, c := range s.calls {
		ours := slices.ContainsFunc(about, func(d digest.Digest) bool { return d != "" && strings.Contains(c.Key, d.Encoded()) })
		if ours || c.What != "" {
			history = append(history, fmt.Sprintf("%s    %s: %s %s %s%v", stamp(c.At), c.Process, c.Op, end(c.Key), c.What, c.Err))
		}
	}
	slices.Sort(history)
	const most = 120
	if len(history) > most && *onlySeed == 0 {
		history = history[len(history)-most:]
	}
	s.t.Error(s.world.Short(fmt.Sprintf("%s\n%swait %v, age %v, untagged %t, jumps %t, upgrade %t, weather %+v\n%s\nrepeat with: go test ./simulation -run TestSystem -sim.store=%s -sim.seed=%d",
		fmt.Sprintf(format, args...), stamp(time.Now()), s.wait, s.age, s.untagged, s.jumps, s.upgrade, s.weather, strings.Join(history, "\n"), s.store, s.seed)))
}

// end is the end of a key.
func end(key string) string {
	parts := strings.Split(key, "/")
	return path.Join(parts[max(0, len(parts)-3):]...)
}
