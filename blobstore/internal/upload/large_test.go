package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestManyPieces makes states with headers that one read does not deliver.
func TestManyPieces(t *testing.T) {
	for _, store := range []string{"minio", "gcs"} {
		t.Run(store, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size, pieces = 32, 500
				o := mem.Imitations()[store]
				o.KeyInterval = 0
				o.Parts = driver.PartLimits{MinSize: 1, MaxSize: size, MaxParts: 20_000, MaxObject: 1 << 20, MaxPut: 8 << 20}
				b := mem.NewWith(o)
				options := func() Options {
					options := testOptions(memory.New(8 << 20))
					options.PartSize, options.MaxPart, options.Checkpoint = size, size, 4000
					options.Copy.PartSize = size
					return options
				}
				content := bytesOf(pieces*size+size/2, 1)
				one, two, three := New(b, options()), New(b, options()), New(b, options())
				half := len(content) / 2
				id := patch(t, one, post(t, one), content[:half])
				id = patch(t, two, id, content[half:])
				i, err := three.parseID(id, "repo")
				if err != nil {
					t.Fatal(err)
				}
				st, err := three.load(t.Context(), three.folder("repo", i.uuid), "repo", i)
				if err != nil {
					t.Fatal(err)
				}
				if len(st.header.Pieces) < pieces-1 || st.bodyOff < headRead {
					t.Fatalf("%d pieces, a header of %d bytes: this tests nothing", len(st.header.Pieces), st.bodyOff)
				}
				if err := put(t, three, id, digest.FromBytes(content), nil); err != nil {
					t.Fatal(err)
				}
				wantBlob(t, b, content)
				wantNothingLeft(t, b, one, two, three)
			})
		})
	}
}

// tenThousand is an engine on a store that takes so many parts of an object and no more,
// each of tinyPart bytes.
func tenThousand(b driver.Bucket, checkpoint int) *Engine {
	options := testOptions(memory.New(1 << 20))
	options.PartSize, options.MaxPart, options.Copy.PartSize, options.Checkpoint = tinyPart, tinyPart, tinyPart, checkpoint
	return New(b, options)
}

const (
	tinyPart = 32
	maxParts = 10_000
)

// tiny is the imitation of a store with ten thousand parts of tinyPart.
func tiny(store string) driver.Bucket {
	o := mem.Imitations()[store]
	o.KeyInterval = 0
	o.Parts = driver.PartLimits{MinSize: 1, MaxSize: tinyPart, MaxParts: maxParts, MaxObject: maxParts * tinyPart, MaxPut: 8 << 20, Uniform: o.Parts.Uniform}
	return mem.NewWith(o)
}

// TestTenThousandPieces makes an upload with as many pieces as the store takes parts, in
// requests to three replicas. No state is larger than maxHeader's comment tells, no replica
// keeps more states than its cache has room for, and the budget holds.
func TestTenThousandPieces(t *testing.T) {
	for _, store := range []string{"minio", "r2", "gcs"} {
		t.Run(store, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const requests = 12
				var mu sync.Mutex
				var largest, peak int64
				var replicas []*Engine
				b := driver.Wrap(tiny(store), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
					mu.Lock()
					if c.Op == driver.OpPut && isState(c.Key) {
						largest = max(largest, c.Body.Size())
					}
					for _, e := range replicas {
						u := e.budget.Usage()
						peak = max(peak, u.Used+u.Cached)
					}
					mu.Unlock()
					return next(ctx)
				})
				for range 3 {
					replicas = append(replicas, tenThousand(b, 500))
				}
				content := bytesOf(maxParts*tinyPart, 1)
				id := post(t, replicas[0])
				for i := range requests {
					from, to := i*len(content)/requests, (i+1)*len(content)/requests
					id = patch(t, replicas[i%3], id, content[from:to])
				}
				if err := put(t, replicas[2], id, digest.FromBytes(content), nil); err != nil {
					t.Fatal(err)
				}
				wantBlob(t, b, content)
				for _, e := range replicas {
					if e.cache.weight > e.options.Cache {
						t.Errorf("states of weight %d are cached, want at most %d", e.cache.weight, e.options.Cache)
					}
				}
				if largest < 3<<19 || largest > 5<<19 {
					t.Errorf("the largest state has %d bytes, want some 2 MiB", largest)
				}
				if peak == 0 || peak > 1<<20 {
					t.Errorf("%d bytes of memory were held, want at most the budget", peak)
				}
				wantNothingLeft(t, b, replicas...)
			})
		})
	}
}

// TestCheckpointsInMemory sends a body of unknown length in 10,000 pieces. What it has
// written on the way takes no memory that grows with the square of the pieces.
func TestCheckpointsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, most = 32, 32 << 20
		var states atomic.Int32
		e := tenThousand(driver.Wrap(tiny("minio"), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if c.Op == driver.OpPut && isState(c.Key) {
				states.Add(1)
				c.Body = section("the store keeps it elsewhere")
			}
			return next(ctx)
		}), every)
		content := bytesOf(maxParts*tinyPart, 1)
		w, err := closed(t, e).Resume(t.Context(), "repo", post(t, e), Request{Length: -1})
		if err != nil {
			t.Fatal(err)
		}
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before, held := heap(), int64(0)
		body := io.MultiReader(bytes.NewReader(content), readerFunc(func([]byte) (int, error) {
			synctest.Wait() // all that was sent is stored
			held = heap() - before
			return 0, io.EOF
		}))
		if _, err := w.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		if n := states.Load(); n < maxParts/every {
			t.Fatalf("%d states: this tests nothing", n)
		}
		if held > most {
			t.Errorf("%d bytes are held, want at most %d", held, most)
		}
		if err := w.Cancel(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestDamagedLongHeader cuts states with long headers, and flips bits in them.
func TestDamagedLongHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mem.Imitations()["minio"]
		o.Parts = driver.PartLimits{MinSize: 1, MaxSize: 32, MaxParts: 20_000, MaxObject: 1 << 20, MaxPut: 8 << 20}
		b := mem.NewWith(o)
		options := testOptions(memory.New(8 << 20))
		options.PartSize, options.MaxPart, options.Checkpoint = 32, 32, 4000
		e := closed(t, New(b, options))
		id := patch(t, e, post(t, e), bytesOf(1000*32+5, 1))
		i, err := e.parseID(id, "repo")
		if err != nil {
			t.Fatal(err)
		}
		folder := e.folder("repo", i.uuid)
		rd, err := b.Open(t.Context(), i.stateKey(folder), driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		good, err := io.ReadAll(rd)
		_ = rd.Close()
		if err != nil {
			t.Fatal(err)
		}
		try := func(bad []byte) {
			t.Helper()
			if _, err := b.Put(t.Context(), i.stateKey(folder), io.NewSectionReader(bytes.NewReader(bad), 0, int64(len(bad))), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.load(t.Context(), folder, "repo", i); !errors.Is(err, ErrBadState) {
				t.Errorf("%d bytes of %d: %v", len(bad), len(good), err)
			}
		}
		for _, n := range []int{0, 10, prefixLen, headRead - 1, headRead, headRead + 1, len(good) - 6, len(good) - 5, len(good) - 1} {
			try(good[:n])
		}
		try(append(bytes.Clone(good), 'x'))
		for at := 0; at < len(good)-5; at += 997 {
			bad := bytes.Clone(good)
			bad[at] ^= 0x10
			try(bad)
		}
	})
}

// TestTinyRequests sends one byte per request behind a large tail. Each byte is sent to the
// store, and read from it, a few times at most.
func TestTinyRequests(t *testing.T) {
	for _, store := range []string{"minio", "r2", "gcs"} {
		for _, cached := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%t", store, cached), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var sent, received atomic.Int64
					e, b, _ := on(t, store, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
						if c.Body != nil {
							sent.Add(c.Body.Size())
						}
						err := next(ctx)
						if err == nil && c.Op == driver.OpOpen {
							received.Add(c.Reader.Range.Len)
						}
						return err
					})
					content := bytesOf(testPart-300, 1)
					id := patch(t, e, post(t, e), content)
					sent.Store(0)
					received.Store(0)
					const requests = 200
					for i := range requests {
						if !cached {
							e.cache.end(&state{id: idOf(t, e, id)})
						}
						id = patch(t, e, id, []byte{byte(i)})
						content = append(content, byte(i))
					}
					// A header is some 2 KiB; the tail is four times as much.
					if most := int64(requests * testPart / 2); sent.Load() > most || received.Load() > most {
						t.Errorf("%d requests of one byte: %d bytes sent, %d received, want at most %d", requests, sent.Load(), received.Load(), most)
					}
					if err := put(t, e, id, digest.FromBytes(content), nil); err != nil {
						t.Fatal(err)
					}
					wantBlob(t, b, content)
				})
			})
		}
	}
}

func idOf(t *testing.T, e *Engine, name string) id {
	t.Helper()
	i, err := e.parseID(name, "repo")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestAlgorithms pushes in all ways by SHA-512, whether that is told beforehand or not until
// the PUT, and is wrong about it.
func TestAlgorithms(t *testing.T) {
	for store := range mem.Imitations() {
		for _, shape := range shapes {
			for _, told := range []string{"POST", "PUT", "wrong"} {
				t.Run(fmt.Sprintf("%s/%s/%s", store, shape.name, told), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						e, b, _ := on(t, store, pass)
						r := Request{Length: -1}
						if told == "POST" {
							r.Algorithm = digest.SHA512
						}
						w, err := e.Create(t.Context(), "repo", r)
						if err != nil {
							t.Fatal(err)
						}
						id, content, rest := shape.send(t, e, w.ID())
						d := digest.SHA512.FromBytes(content)
						if told == "wrong" {
							d = digest.SHA512.FromString("another")
						}
						err = put(t, e, id, d, rest)
						if told == "wrong" {
							if !errors.As(err, new(*Verdict)) {
								t.Errorf("PUT: %v, want a verdict", err)
							}
							wantNoBlob(t, b, d)
							return
						}
						if err != nil {
							t.Fatal(err)
						}
						if size, ok, err := e.isPublished(t.Context(), "repo", d); err != nil || !ok || size != int64(len(content)) {
							t.Errorf("published: %d, %t, %v", size, ok, err)
						}
						wantNoBlob(t, b, d) // it is there, and has its digest
						wantNothingLeft(t, b, e)
					})
				})
			}
		}
	}
}
