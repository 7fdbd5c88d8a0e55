package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestRandomUploads sends blobs in random pieces to two replicas, by Write and ReadFrom,
// of known and unknown length, some of them cut off, on stores that fail at random, at
// times after they have done what they were asked. However it goes, the upload goes on at
// the byte that the next writer tells, and the blob has the right content.
func TestRandomUploads(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		st := stores[r.IntN(len(stores))]
		chaos := &chaos{rand: rand.New(rand.NewPCG(seed, 2)), rate: []float64{0, 0.03, 0.15}[r.IntN(3)]}
		b := driver.Wrap(driver.With(newBucket(t), st.edit), chaos.around)
		one, two := newStore(t, b), newStore(t, b)
		p := content(seed, r.IntN(60_000))
		id := begin(t, newRepository(t, one, "app"))
		chaos.on(true)
		for off := 0; off < len(p); {
			if chaos.failed() > 100 {
				chaos.on(false) // it has to end
			}
			repo := newRepository(t, one, "app")
			if r.IntN(2) == 0 {
				repo = newRepository(t, two, "app")
			}
			n := 1 + r.IntN([]int{500, 3000, 20_000}[r.IntN(3)])
			length := int64(-1)
			if off+n <= len(p) && r.IntN(3) > 0 {
				length = int64(n)
			}
			ctx, cancel := context.WithCancel(request(http.MethodPatch, "/", length))
			w, err := repo.Resume(ctx, id)
			if err != nil {
				cancel()
				continue
			}
			off = int(w.Size())
			rest := p[off:]
			if r.IntN(3) == 0 {
				m := r.IntN(min(n, len(rest)) + 1)
				_, err = w.Write(rest[:m])
				rest = rest[m:]
			}
			if err == nil && length <= int64(len(rest)) {
				var body io.Reader = bytes.NewReader(rest[:min(n, len(rest))])
				if r.IntN(4) == 0 {
					body = cut{io.LimitReader(body, int64(r.IntN(n))), cancel}
				}
				_, _ = w.ReadFrom(body)
			}
			_ = w.Close()
			cancel()
			if w, err := repo.Resume(t.Context(), id); err == nil {
				off = int(w.Size())
				_ = w.Close()
			}
		}
		chaos.on(false)
		finishAll(t, newRepository(t, two, "app"), id, p)
		if one, two := one.Usage(), two.Usage(); one.Memory != 0 || two.Memory != 0 {
			t.Errorf("memory in use: %+v, %+v", one, two)
		}
		if t.Failed() {
			t.Fatalf("with seed %d, on %s", seed, st.name)
		}
	}
}

// chaos fails writes at random, before or after they are done.
type chaos struct {
	mu    sync.Mutex
	rand  *rand.Rand
	rate  float64
	is    bool // on
	count int  // of failures
}

func (c *chaos) on(is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is = is
}

func (c *chaos) failed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func (c *chaos) around(ctx context.Context, call *driver.Call, next func(context.Context) error) error {
	c.mu.Lock()
	fails, after := c.is && writes(call) && c.rand.Float64() < c.rate, c.rand.IntN(2) == 0
	if fails {
		c.count++
	}
	c.mu.Unlock()
	if !fails {
		return next(ctx)
	}
	if !after {
		return errors.New("down")
	}
	if err := next(ctx); err != nil {
		return err
	}
	return &driver.Error{Op: call.Op, Key: call.Key, Kind: driver.Unavailable, MayHave: true, Err: io.ErrUnexpectedEOF}
}
