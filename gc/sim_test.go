package gc_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/storm"
	"github.com/blobdock/blobdock/manifests"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "the only seed that TestSimulation runs")
	simSeeds = flag.Int("sim.seeds", 0, "how many seeds TestSimulation runs")
)

// TestSimulation has clients push, mount, tag, delete and pull images, indexes and referrers through
// several replicas while collectors run, on the imitation of each kind of store. In some seeds calls
// of the store fail, lose their replies, or take hours, and replicas and collectors are killed.
//
//   - What was answered 201 and is still referred to is whole, when it was answered and at the end.
//   - Nothing fails for a client that has taken no longer than it may, unless something was done to
//     the request.
//   - Collectors that are then left alone take away all that nothing refers to, and all tombstones.
func TestSimulation(t *testing.T) {
	seeds := 500
	if os.Getenv("BLOBDOCK_TEST_FULL") != "" {
		seeds = 100_000
	}
	if *simSeeds != 0 {
		seeds = *simSeeds
	}
	stores := []string{"azure", "file", "gcs", "minio", "r2"}
	var failed atomic.Bool // one history is enough
	for _, name := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, last := uint64(1), uint64(seeds/len(stores))
			if *simSeed != 0 {
				first, last = *simSeed, *simSeed
			}
			for seed := first; seed <= last && !failed.Load(); seed++ {
				synctest.Test(t, func(t *testing.T) { simulate(t, name, seed) })
				failed.Store(failed.Load() || t.Failed())
			}
		})
	}
}

// sim is one seed.
type sim struct {
	t         *testing.T
	store     string
	seed      uint64
	raw       driver.Bucket // without the storm
	wait, age time.Duration
	storm     storm.Weather
	calm      atomic.Bool
	untagged  bool // some collector deletes untagged manifests
	world     *storm.World
	doomed    chan digest.Digest // of what a collector is about to condemn or to delete, for clients that want it

	storm.Ledger

	mu       sync.Mutex
	calls    []storm.Call
	told     []string
	replicas []*simReplica
	all      []*simReplica // the dead ones too
}

type simReplica struct {
	replica
	*storm.Process
}

func simulate(t *testing.T, store string, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	o := mem.Imitations()[store]
	o.KeyInterval = 0 // a client that is throttled would be no sign of anything
	o.Parts = driver.PartLimits{MinSize: 1, MaxSize: 1 << 20, MaxParts: 1000, MaxObject: 1 << 30, MaxPut: 1 << 20, Uniform: o.Parts.Uniform}
	s := &sim{
		t: t, store: store, seed: seed, raw: mem.NewWith(o), wait: 12 * time.Minute, age: 20 * time.Minute,
		doomed: make(chan digest.Digest),
	}
	var err error
	if s.world, err = newWorld(r); err != nil {
		t.Fatal(err)
	}
	switch r.IntN(10) {
	case 0:
		s.wait, s.age = time.Hour, day
	case 1, 2:
		s.age = 2 * time.Hour
	}
	switch r.IntN(3) {
	case 1:
		s.storm = storm.Weather{Pause: 0.004, Fail: 0.001, Lose: 0.001, Kill: 0.0005}
	case 2:
		s.storm = storm.Weather{Pause: 0.02, Fail: 0.01, Lose: 0.01, Kill: 0.004}
	}
	for i := range 1 + r.IntN(3) {
		s.replicas = append(s.replicas, nil)
		s.start(i)
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients, collectors sync.WaitGroup
	for i := range 1 + r.IntN(2) {
		untagged := r.IntN(3) == 0
		s.untagged = s.untagged || untagged
		cr := rand.New(rand.NewPCG(seed, uint64(100+i)))
		collectors.Go(func() { s.collector(ctx, cr, fmt.Sprintf("collector %d", i), untagged) })
	}
	for i := range 1 + r.IntN(3) {
		c := &client{sim: s, name: fmt.Sprintf("client %d", i), rand: rand.New(rand.NewPCG(seed, uint64(200+i)))}
		clients.Go(func() { c.run(10) })
	}
	clients.Wait()
	s.calm.Store(true)
	stop()
	collectors.Wait()
	s.check()
	s.end()
	for _, r := range s.all {
		_ = r.store.Close()
	}
}

func (s *sim) weather(driver.Op) storm.Weather {
	if s.calm.Load() {
		return storm.Weather{}
	}
	return s.storm
}

// newProcess is one that is not a collector.
func (s *sim) newProcess(name string) *storm.Process {
	return &storm.Process{Name: name, Seed: s.seed, Longest: 4 * s.wait, Weather: s.weather, Note: s.note}
}

// newCollector is a process that collects. Before it condemns and before it deletes, it looks, and a
// client may be told of what.
func (s *sim) newCollector(name string) *storm.Process {
	p := s.newProcess(name)
	p.Weather = func(op driver.Op) storm.Weather {
		w := s.weather(op)
		if op.Changes() { // there it may matter most
			w = storm.Weather{Pause: 5 * w.Pause, Fail: 2 * w.Fail, Lose: 5 * w.Lose, Kill: 5 * w.Kill}
		}
		return w
	}
	p.Before = func(c *driver.Call) {
		if name, ok := keys.Parse(c.Key); ok && c.Op == driver.OpStat {
			select {
			case s.doomed <- name.Digest:
			default: // nobody waits for that
			}
		}
	}
	return p
}

// start makes a new process of replica i.
func (s *sim) start(i int) {
	a := s.newProcess(fmt.Sprintf("replica %d.%d", i, len(s.all)))
	b, err := blobstore.New(a.Bucket(s.raw), s.options())
	if err != nil {
		s.t.Fatal(err)
	}
	r := &simReplica{replica{s.t, s.raw, b, manifests.New(b)}, a}
	a.OnKill = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.start(i)
	}
	s.replicas[i] = r
	s.all = append(s.all, r)
}

// options are those of replicas. Nothing is retried, so that nothing is left to chance.
func (s *sim) options() blobstore.Options {
	return blobstore.Options{
		CollectionWait: s.wait, PartSize: 1 << 12, MemoryBudget: 1 << 20, Secret: []byte("secret"),
		Retry: retry.Policy{Attempts: 1}, Log: slog.New(slog.DiscardHandler),
	}
}

// some is one of the replicas.
func (s *sim) some(r *rand.Rand) *simReplica {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replicas[r.IntN(len(s.replicas))]
}

// collector runs again and again, each time as a new process.
func (s *sim) collector(ctx context.Context, r *rand.Rand, name string, untagged bool) {
	for i := 0; ctx.Err() == nil; i++ {
		select {
		case <-time.After(time.Duration(r.Int64N(int64(s.age)))):
		case <-ctx.Done():
			return
		}
		a := s.newCollector(fmt.Sprintf("%s.%d", name, i))
		if s.seed%2 == 0 {
			a.Slow = 10 * time.Second // a deletion is signed for three times that
		}
		run, kill := context.WithCancel(context.WithoutCancel(ctx))
		a.OnKill = kill
		o := s.collection(untagged)
		o.Concurrency = 1 + r.IntN(4)
		if r.IntN(4) == 0 {
			o.Limit = 1 + r.IntN(4)
		}
		got, err := runGC(run, a.Bucket(s.raw), o)
		kill()
		s.tell("%s: %+v, %v", a.Name, got, err)
		if err != nil && a.Hits() == 0 {
			s.fail(nil, "%s: %v", a.Name, err)
		}
	}
}

func (s *sim) collection(untagged bool) gc.Options {
	return gc.Options{OlderThan: s.age, Wait: s.wait, Untagged: untagged, Log: slog.New(slog.DiscardHandler)}
}

// end leaves collectors alone, and looks at what is left.
func (s *sim) end() {
	for range 9 { // each takes away what only the one before has set free
		time.Sleep(s.age + s.wait)
		got, err := runGC(s.t.Context(), s.raw, s.collection(s.untagged))
		s.tell("at the end: %+v, %v", got, err)
		if err != nil {
			s.fail(nil, "a collector that is alone: %v", err)
		}
		if s.garbage() == "" {
			break
		}
	}
	s.check()
	if key := s.garbage(); key != "" {
		name, _ := keys.Parse(key)
		s.fail([]digest.Digest{name.Digest}, "%s is left, and nothing refers to it", key)
	}
}

// garbage is a key that nothing refers to, "" when there is none. Uploads are swept by others.
func (s *sim) garbage() string {
	wanted := s.wanted()
	for _, key := range list(s.t, s.raw, "") {
		name, ok := keys.Parse(key)
		if !wanted[key] && (!ok || name.Kind != "upload") && !strings.HasPrefix(key, keys.Uploads()) {
			return key
		}
	}
	return ""
}

// tell notes what is done, for the history.
func (s *sim) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, time.Now().UTC().Format("02 15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s *sim) note(c storm.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
}

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
		if ours || c.What != "" || c.Op == driver.OpDelete || strings.HasSuffix(c.Key, "current/link") && c.Op == driver.OpPut {
			history = append(history, c.At.UTC().Format("02 15:04:05.000 ")+fmt.Sprintf("    %s: %s %s %s%v", c.Process, c.Op, path.Base(path.Dir(path.Dir(c.Key)))+"/"+path.Base(path.Dir(c.Key))+"/"+path.Base(c.Key), c.What, c.Err))
		}
	}
	slices.Sort(history)
	const most = 150
	if len(history) > most && *simSeed == 0 {
		history = history[len(history)-most:]
	}
	s.t.Error(s.world.Short(fmt.Sprintf("%s\n%s, wait %v, age %v, untagged %t, storm %+v\n%s\nrepeat with: go test ./gc -run 'TestSimulation/%s$' -sim.seed=%d",
		fmt.Sprintf(format, args...), time.Now().UTC().Format("02 15:04:05"), s.wait, s.age, s.untagged, s.storm, strings.Join(history, "\n"), s.store, s.seed)))
}

// deleted reports whether a client may have deleted what a name refers to since a time, or shortly
// before it: what a replica has found counts as there for a minute, whoever deletes it by another
// replica, and the look may take as long.
func (s *sim) deleted(name string, since time.Time) bool {
	if !since.IsZero() {
		since = since.Add(-2 * blobstore.DefaultLookupTTL)
	}
	return s.Deleted(name, since)
}

// check looks at all that must be there.
func (s *sim) check() {
	r := s.fresh()
	defer r.store.Close()
	for _, repo := range s.world.Repos {
		for _, tag := range s.world.Tags {
			for _, m := range s.world.All {
				if since, ok := s.Kept(storm.TagName(repo, tag), m.Digest); ok {
					s.mustBe(r, repo, tag, m, since)
				}
			}
		}
		for _, m := range s.world.All {
			since, ok := s.Kept(storm.Revision(repo, m.Digest), m.Digest)
			if ok && (!s.untagged || s.referrerOfKept(repo, m, since)) {
				s.mustBe(r, repo, m.Digest.String(), m, since)
			}
		}
	}
}

// referrerOfKept reports whether the policy that deletes untagged manifests keeps m, pushed at a
// time, as the subject has had a tag since before.
func (s *sim) referrerOfKept(repo string, m *storm.Thing, at time.Time) bool {
	if m.Subject == nil {
		return false
	}
	for _, tag := range s.world.Tags {
		if since, ok := s.Kept(storm.TagName(repo, tag), m.Subject.Digest); ok && since.Before(at) {
			return true
		}
	}
	return false
}

// mustBe fails unless a new process reads all of m, which was acknowledged since a time.
func (s *sim) mustBe(r replica, repo, ref string, m *storm.Thing, since time.Time) {
	if about, err := s.read(s.t.Context(), r, repo, ref, m, since); err != nil {
		s.fail(about, "%s:%s is %s, acknowledged at %s, and is not whole: %v", repo, ref, m.Name, since.UTC().Format("02 15:04:05"), err)
	}
}

// read reads all of m but what clients have deleted since.
func (s *sim) read(ctx context.Context, r replica, repo, ref string, m *storm.Thing, since time.Time) ([]digest.Digest, error) {
	got, err := r.repository(repo).Resolve(ctx, ref)
	if err == nil && got.Descriptor().Digest != m.Digest {
		err = fmt.Errorf("it is %s", s.world.Short(got.Descriptor().Digest.String()))
	}
	if err != nil {
		return []digest.Digest{m.Digest}, err
	}
	for _, d := range m.Layers {
		if s.deleted(storm.Layer(repo, d), since) {
			continue
		}
		if _, err := r.blobs(repo).Get(ctx, d); err != nil {
			return []digest.Digest{d, m.Digest}, fmt.Errorf("layer %s: %w", s.world.Short(d.String()), err)
		}
	}
	for _, c := range m.Children {
		// An index of damaged images is taken in.
		if s.deleted(storm.Revision(repo, c.Digest), since) || s.halfThere(repo, c) {
			continue
		}
		if about, err := s.read(ctx, r, repo, c.Digest.String(), c, since); err != nil {
			return append(about, m.Digest), fmt.Errorf("child %s: %w", c.Name, err)
		}
	}
	return nil, nil
}

// fresh is a process that has seen nothing yet, and which nothing happens to.
func (s *sim) fresh() replica {
	b, err := blobstore.New(s.raw, s.options())
	if err != nil {
		s.t.Fatal(err)
	}
	return replica{s.t, s.raw, b, manifests.New(b)}
}

// wanted is the keys that collectors leave.
func (s *sim) wanted() map[string]bool {
	r := s.fresh()
	defer r.store.Close()
	want, err := s.world.Wanted(s.t.Context(), s.raw, keys, s.untagged, func(repo, tag string) (digest.Digest, bool) {
		d, err := r.repository(repo).Tags().Get(s.t.Context(), tag)
		return d.Digest, err == nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return want
}
