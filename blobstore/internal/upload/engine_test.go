package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
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

// testPart is the part size of the tests, so that content of some KiB has several parts.
const testPart = 8 << 10

// small is the imitation of a store with parts of testPart.
func small(o mem.Options) mem.Options {
	o.Parts = driver.PartLimits{
		MinSize: testPart / 2, MaxSize: 1 << 20, MaxParts: 1000, MaxObject: 1 << 30, MaxPut: 1 << 20, Uniform: o.Parts.Uniform,
	}
	if o.CopyMax > 0 {
		o.CopyMax = 3 * testPart
	}
	return o
}

func testOptions(budget *memory.Budget) Options {
	return Options{
		Layout: layout.Layout{Root: "root"}, Secret: []byte("secret"), PartSize: testPart, MaxPart: 4 * testPart, Concurrency: 2,
		Budget: budget, MemoryWait: time.Minute, Checkpoint: 3, Grace: 10 * time.Second,
		Copy: driver.CopyPlan{PartSize: testPart, Concurrency: 2}, Log: slog.New(slog.DiscardHandler),
	}
}

// counter counts calls by operation.
type counter struct {
	mu    sync.Mutex
	calls map[driver.Op]int
	keys  map[string]int // writes by key
}

func (c *counter) wrap(b driver.Bucket) driver.Bucket {
	c.reset()
	return driver.Wrap(b, func(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
		c.mu.Lock()
		c.calls[call.Op]++
		if call.Op == driver.OpPut || call.Op == driver.OpConcat || call.Op == driver.OpCompleteUpload || call.Op == driver.OpCopy {
			c.keys[call.Key]++
		}
		c.mu.Unlock()
		return next(ctx)
	})
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls, c.keys = make(map[driver.Op]int), make(map[string]int)
}

func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ops []string
	n := 0
	for op, k := range c.calls {
		ops = append(ops, fmt.Sprintf("%s %d", op, k))
		n += k
	}
	slices.Sort(ops)
	return fmt.Sprintf("%d: %s", n, strings.Join(ops, ", "))
}

// nth tells the nth of the calls that come while it is armed.
type nth struct {
	n int

	mu    sync.Mutex
	armed bool
	calls int // that have come
}

func (c *nth) arm(armed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = armed
}

// next counts a call. left is how many come before the nth one; it is negative for those
// after it, and positive for all while it is not armed.
func (c *nth) next() (left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.armed {
		return 1
	}
	c.calls++
	return c.n - c.calls
}

// came reports whether there were that many calls.
func (c *nth) came() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls >= c.n
}

func bytesOf(n int, seed uint64) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(p)
	return p
}

// post, patch and put are the requests of a client, as distribution's handlers make them.
func post(t testing.TB, e *Engine) string {
	t.Helper()
	w, err := e.Create(t.Context(), "repo", Request{Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.ID()
}

func patch(t testing.TB, e *Engine, id string, p []byte) string {
	t.Helper()
	w, err := e.Resume(t.Context(), "repo", id, Request{Length: int64(len(p))})
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.ReadFrom(bytes.NewReader(p))
	if err != nil || n != int64(len(p)) {
		t.Fatalf("PATCH: %d of %d bytes, %v", n, len(p), err)
	}
	next := w.ID()
	if err := w.Close(); err != nil || w.ID() != next {
		t.Fatalf("close: %v, id %s, was %s", err, w.ID(), next)
	}
	return next
}

func put(t testing.TB, e *Engine, id string, d digest.Digest, p []byte) error {
	t.Helper()
	r := Request{Length: int64(len(p)), Final: true, Digest: d}
	w, err := e.Resume(t.Context(), "repo", id, r)
	if err != nil {
		return err
	}
	defer w.Close()
	if len(p) > 0 {
		if _, err := w.ReadFrom(bytes.NewReader(p)); err != nil {
			_ = w.Cancel(t.Context())
			return err
		}
	}
	if _, err := w.Commit(t.Context(), d, 0); err != nil {
		_ = w.Cancel(t.Context())
		return err
	}
	return nil
}

func wantBlob(t testing.TB, b driver.Bucket, content []byte) {
	t.Helper()
	d := digest.FromBytes(content)
	l := layout.Layout{Root: "root"}
	rd, err := b.Open(t.Context(), l.Blob(d), driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatalf("blob: %v", err)
	}
	defer rd.Close()
	if got, err := io.ReadAll(rd); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("blob has %d bytes, want %d (%v)", len(got), len(content), err)
	}
	if _, err := b.Stat(t.Context(), l.LayerLink("repo", d)); err != nil {
		t.Fatalf("link: %v", err)
	}
}

// TestPush pushes content of each size in each way, on the imitation of each store. No
// push writes one key twice.
func TestPush(t *testing.T) {
	sizes := []int{0, 1, 100, testPart - 1, testPart, testPart + 1, 3 * testPart, 5*testPart + 100, 40*testPart + 7}
	chunks := []int{0, 1 << 20, testPart / 3, testPart, testPart + 11}
	for name, o := range mem.Imitations() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for i, size := range sizes {
					for j, chunk := range chunks {
						var calls counter
						b := retry.Wrap(calls.wrap(mem.NewWith(small(o))), retry.Policy{})
						budget := memory.New(1 << 20)
						one, two := New(b, testOptions(budget)), New(b, testOptions(memory.New(1<<20)))
						content := bytesOf(size, uint64(i*100+j))
						d := digest.FromBytes(content)
						id, rest := post(t, one), content
						for k := 0; chunk > 0 && len(rest) > 0; k++ {
							n := min(chunk, len(rest))
							id = patch(t, []*Engine{one, one, two}[k%3], id, rest[:n])
							rest = rest[n:]
						}
						if err := put(t, one, id, d, rest); err != nil {
							t.Fatalf("%d bytes by %d: PUT: %v", size, chunk, err)
						}
						wantBlob(t, b, content)
						for key, n := range calls.keys {
							if n > 1 {
								t.Errorf("%d bytes by %d: %s was written %d times", size, chunk, key, n)
							}
						}
						// The answer was lost: the client sends the PUT again.
						if err := put(t, two, id, d, rest); err != nil {
							t.Errorf("%d bytes by %d: repeated PUT: %v", size, chunk, err)
						}
						for _, e := range []*Engine{one, two} {
							if err := e.Close(t.Context()); err != nil {
								t.Error(err)
							}
						}
						if used := budget.Usage().Used; used != 0 {
							t.Errorf("%d bytes by %d: %d bytes of memory in use", size, chunk, used)
						}
						wantTidy(t, b, size, chunk)
					}
				}
			})
		})
	}
}

// wantTidy finds nothing of an upload.
func wantTidy(t testing.TB, b driver.Bucket, size, chunk int) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: "root/_uploads/"}) {
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("%d bytes by %d: %s is left", size, chunk, e.Key)
	}
}

// TestRequests pins what pushes cost.
func TestRequests(t *testing.T) {
	for _, tt := range []struct {
		store       string
		size, chunk int
		want        string
	}{
		{"minio", 100, 0, "2: put 2"},
		{"gcs", 100, 0, "2: put 2"},
		{"azure", 100, 0, "2: put 2"},
		{"minio", 100, 100, "4: delete 1, put 3"},
		{"minio", testPart, testPart / 8, "11: delete-batch 1, put 10"},
		{"minio", 32 * testPart, testPart / 8, "327: complete-upload 1, copy-part 32, create-upload 1, delete-batch 2, list 1, put 289, stat 1"},
		{"gcs", 32 * testPart, testPart / 8, "294: concat 1, delete-batch 2, list 1, put 289, stat 1"},
		{"minio", 4 * testPart, 0, "8: complete-upload 1, create-upload 1, put 1, put-part 4, stat 1"},
	} {
		t.Run(fmt.Sprintf("%s/%d-by-%d", tt.store, tt.size, tt.chunk), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls counter
				o := small(mem.Imitations()[tt.store])
				o.KeyInterval = 0
				e := New(calls.wrap(mem.NewWith(o)), testOptions(memory.New(1<<20)))
				content := bytesOf(tt.size, 1)
				id, rest := post(t, e), content
				for tt.chunk > 0 && len(rest) > 0 {
					n := min(tt.chunk, len(rest))
					id = patch(t, e, id, rest[:n])
					rest = rest[n:]
				}
				if err := put(t, e, id, digest.FromBytes(content), rest); err != nil {
					t.Fatal(err)
				}
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := calls.String(); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
			})
		})
	}
}

// TestRequestsOfReplicas pins what a push costs whose POST, PATCH and PUT come to a replica
// each: one look for a DELETE, and one read of the state with its bytes.
func TestRequestsOfReplicas(t *testing.T) {
	for _, tt := range []struct {
		name   string
		size   int
		memory int64 // of the third replica
		want   string
	}{
		{"small", 100, 2 << 20, "6: delete 1, open 1, put 3, stat 1"},
		{"longer than a header's read", 300 << 10, 2 << 20, "6: delete 1, open 1, put 3, stat 1"},
		{"one part", 512 << 10, 2 << 20, "6: delete 1, open 1, put 3, stat 1"},
		{"memory for the bytes alone", 512 << 10, 600 << 10, "7: delete 1, open 2, put 3, stat 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls counter
				o := small(mem.Imitations()["minio"])
				o.KeyInterval = 0
				b := calls.wrap(mem.NewWith(o))
				var replicas []*Engine
				for _, n := range []int64{2 << 20, 2 << 20, tt.memory} {
					options := testOptions(memory.New(n))
					options.PartSize, options.MaxPart = 512<<10, 512<<10
					replicas = append(replicas, New(b, options))
				}
				content := bytesOf(tt.size, 1)
				id := patch(t, replicas[1], post(t, replicas[0]), content)
				if err := put(t, replicas[2], id, digest.FromBytes(content), nil); err != nil {
					t.Fatal(err)
				}
				for _, e := range replicas {
					if err := e.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if got := calls.String(); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
				wantBlob(t, b, content)
				wantNothingLeft(t, b, replicas...)
			})
		})
	}
}

// TestVerdict commits other content than it was said to be.
func TestVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.NewWith(small(mem.Options{}))
		e := New(retry.Wrap(b, retry.Policy{}), testOptions(memory.New(1<<20)))
		content := bytesOf(3*testPart, 1)
		id := patch(t, e, post(t, e), content)
		var v *Verdict
		if err := put(t, e, id, digest.FromString("other"), nil); !errors.As(err, &v) {
			t.Fatalf("PUT: %v, want a verdict", err)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantTidy(t, b, len(content), len(content))
	})
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}
