package integration_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/redirect"
)

// TestFaultMatrix lets every call to the store fail, in every way, in everything
// that a registry does with blobs. Whatever happens:
//
//   - nothing shows under a digest but what has that digest,
//   - what was reported as done is there, as another replica sees it,
//   - what failed can be done again, and then succeeds,
//   - a sweep finds all that was left behind.
//
// It prints how many points of which scenario, call and failure it has tried. The
// stores in memory have the publishing ways of each cloud, and a clock of their own.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	m := &matrix{tried: map[row]map[string]int{}, byStore: map[string]int{}}
	t.Cleanup(func() { m.print(t) })
	for _, l := range labs(t) {
		for _, s := range scenarios {
			if !l.bubble && s.thorough && !full() {
				continue
			}
			t.Run(l.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				l.store.run(t, func(t *testing.T) { m.run(t, l, s) })
			})
		}
	}
}

// lab is a store to try things on.
type lab struct {
	name     string
	store    store                            // with nothing in it where the lab is in memory
	bucket   func(t testing.TB) driver.Bucket // empty
	failures []fault.Failure
	patience time.Duration // the deadline of a scenario in which a call fails
	bubble   bool          // time passes only in the lab
	leaves   bool          // the store can't be rid of parts at a digest's key
	part     int64         // bytes
}

// The publishing ways of S3, GCS and Azure, and of a store that has none.
var shapes = map[string]mem.Options{
	"mem-like-s3":    {NoConcat: true},
	"mem-like-gcs":   {NoUploads: true},
	"mem-like-azure": {NoConcat: true, CopyMax: 3000},
	"mem-by-stream":  {NoConcat: true, NoCopy: true, NoPartCopy: true},
}

func labs(t *testing.T) []lab {
	var all []lab
	limits := driver.PartLimits{MinSize: 1 << 10, MaxSize: 64 << 10, MaxParts: 1000, MaxObject: 64 << 20, MaxPut: 64 << 20}
	for name, o := range shapes {
		o.Parts = limits
		all = append(all, lab{
			name: name, failures: fault.Failures, patience: time.Minute, bubble: true, part: 2 << 10,
			bucket: func(testing.TB) driver.Bucket { return mem.NewWith(o) },
		})
	}
	// How many calls a scenario makes must not depend on its speed, nor on the laws' rates.
	for _, s := range storesWith(t, unhurried()) {
		c := s.open(t)
		bucket := c.newBucket(t)
		l := lab{name: s.name, store: s, failures: fault.Failures[:3], patience: time.Minute, leaves: isAzure(c)}
		if full() {
			l.failures, l.patience = fault.Failures, 10*time.Second // what those that stand still take
		}
		var folders sync.Mutex
		n := 0
		l.bucket = func(t testing.TB) driver.Bucket {
			folders.Lock()
			n++
			folder := fmt.Sprintf("%s/%d", bucket, n)
			folders.Unlock()
			return look(t, c, folder)
		}
		l.part = max(64*kib, l.bucket(t).Features().Parts.MinSize)
		all = append(all, l)
	}
	return all
}

// replica is one process's engine on b.
func (l lab) replica(t testing.TB, b driver.Bucket) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{
		Secret: []byte(secret), PartSize: l.part, MemoryBudget: 64 * l.part, Concurrency: 2, DisconnectGrace: time.Second,
		Retry: retry.Policy{Attempts: 2, Base: time.Microsecond}, Log: slog.New(slog.DiscardHandler),
		Redirect: redirect.Policy{Off: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type row struct {
	scenario string
	op       driver.Op
}

// matrix counts what was tried.
type matrix struct {
	mu      sync.Mutex
	tried   map[row]map[string]int // by the failure's name
	byStore map[string]int
	failed  int
}

func (m *matrix) run(t *testing.T, l lab, s scenario) {
	whole := func(t testing.TB) fault.Trial { return l.trial(t, s, time.Minute) }
	for _, p := range fault.Points(t, l.failures, whole) {
		trial := func(t testing.TB) fault.Trial { return l.trial(t, s, l.patience) }
		t.Run(p.String(), func(t *testing.T) {
			defer func() { m.count(row{s.name, p.Op}, p.Failure.Name, l.name, t.Failed()) }()
			if l.bubble {
				synctest.Test(t, func(t *testing.T) { p.Play(t, trial(t)) })
			} else {
				p.Play(t, trial(t))
			}
		})
	}
}

// trial is a scenario on a new bucket, whose run has a deadline.
func (l lab) trial(t testing.TB, s scenario, patience time.Duration) fault.Trial {
	t.Helper()
	b := l.bucket(t)
	w := &work{content: content{l.part + l.part/4, 1}}
	if l.bubble {
		w.content.size += l.part
	}
	if s.prepare != nil {
		if err := l.as(t, t.Context(), w, b, s.prepare); err != nil {
			t.Fatalf("prepare: %v", err)
		}
	}
	if l.bubble {
		time.Sleep(time.Second) // what was prepared gets older, for the sweeper
	}
	do := func(b driver.Bucket, patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return l.as(t, ctx, w, b, s.run)
	}
	return fault.Trial{
		Bucket: b,
		Run:    func(b driver.Bucket) error { return do(b, patience) },
		Check: func(t *testing.T, _ fault.Point, err error) {
			wantSound(t, b)
			if err == nil {
				s.done(t, w, l.replica(t, b))
			}
			if err := do(b, time.Minute); err != nil && !s.over(err) {
				t.Errorf("once more: %v", err)
			}
			if s.finish != nil {
				if err := l.as(t, t.Context(), w, b, s.finish); err != nil {
					t.Errorf("finish: %v", err)
				}
			}
			s.done(t, w, l.replica(t, b))
			wantSound(t, b)
			l.wantSwept(t, b, w)
		},
	}
}

// as runs a step of a scenario by a replica that ends with it, and removes what is to be
// removed in the background.
func (l lab) as(t testing.TB, ctx context.Context, w *work, b driver.Bucket, run func(context.Context, *work, *blobstore.Store) error) error {
	t.Helper()
	store := l.replica(t, b)
	defer store.Close()
	return run(ctx, w, store)
}

// wantSound finds nothing under a digest but what has it.
func wantSound(t *testing.T, b driver.Bucket) {
	t.Helper()
	for _, key := range keys(t, b) {
		if rest, ok := strings.CutPrefix(key, "docker/registry/v2/blobs/sha256/"); ok {
			hex := strings.Split(rest, "/")[1]
			wantBlob(t, b, key, digest.NewDigestFromEncoded(digest.SHA256, hex))
		}
	}
}

// wantSwept sweeps, after which there are blobs and links alone.
func (l lab) wantSwept(t *testing.T, b driver.Bucket, w *work) {
	t.Helper()
	s := l.replica(t, b)
	if l.bubble {
		time.Sleep(time.Second) // what was just written gets older
	}
	if _, err := s.Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if used := s.Usage().Memory; used != 0 {
		t.Errorf("%d bytes of memory in use", used)
	}
	// MinIO tells uploads by their exact key alone.
	at := []string{"", blobKey(w.content.digest())}
	for _, key := range keys(t, b) {
		if !strings.HasSuffix(key, "/data") && !strings.HasSuffix(key, "/link") || strings.Contains(key, "/_uploads/") {
			t.Errorf("%s is left", key)
		}
	}
	for _, u := range uploads(t, b, at...) {
		if !l.leaves || u.Key != blobKey(w.content.digest()) {
			t.Errorf("parts at %s are left", u.Key)
		}
	}
}

func (m *matrix) count(r row, failure, store string, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if failed {
		m.failed++
		return
	}
	if m.tried[r] == nil {
		m.tried[r] = map[string]int{}
	}
	m.tried[r][failure]++
	m.byStore[store]++
}

// leastPoints is what the matrix has to have.
const leastPoints = 1000

func (m *matrix) print(t *testing.T) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "scenario\tcall\t")
	for _, f := range fault.Failures {
		fmt.Fprintf(w, "%s\t", f.Name)
	}
	fmt.Fprintln(w)
	total := 0
	for _, s := range scenarios {
		var ops []driver.Op
		for r := range m.tried {
			if r.scenario == s.name {
				ops = append(ops, r.op)
			}
		}
		for _, op := range slices.Sorted(slices.Values(ops)) {
			fmt.Fprintf(w, "%s\t%s\t", s.name, op)
			for _, f := range fault.Failures {
				n := m.tried[row{s.name, op}][f.Name]
				total += n
				fmt.Fprintf(w, "%s\t", strings.TrimPrefix(fmt.Sprint(n), "0"))
			}
			fmt.Fprintln(w)
		}
	}
	_ = w.Flush()
	t.Logf("points that were tried and held, over %v:\n%s%d held, %d did not", m.byStore, out.String(), total, m.failed)
	if total < leastPoints {
		t.Errorf("%d points, want at least %d", total, leastPoints)
	}
}
