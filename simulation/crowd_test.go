package simulation_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/storm"
)

// TestCrowd has a thousand clients pull an image at once, of a replica that has seen nothing of it:
// beyond the bytes of its layers that costs some twenty requests.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		s := &sim{t: t, store: "crowd", rand: r, wait: time.Hour, age: day, bucket: mem.New(), replicas: make([]*replica, 1)}
		var texts []string
		for _, of := range []string{"1", "2", "3", "4", "5"} {
			texts = append(texts, strings.Repeat(of, 100<<10))
		}
		var err error
		if s.world, err = storm.NewWorld(r, []string{"a"}, []string{"latest"}, texts); err != nil {
			t.Fatal(err)
		}
		s.start(0, 0)
		image := s.world.All[0]
		if c := (&client{sim: s, name: "client", rand: r}); !c.push("a", image, "latest") {
			t.Fatal("the push failed")
		}
		defer func() {
			for _, r := range s.all {
				r.close()
			}
		}()

		var requests, layers atomic.Int64
		cold := s.fresh(driver.Wrap(s.bucket, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			name, _ := keys.Parse(c.Key)
			if _, layer := s.world.Texts[name.Digest]; layer && c.Op == driver.OpOpen && strings.HasSuffix(c.Key, "/data") {
				layers.Add(1)
			} else {
				requests.Add(1)
			}
			time.Sleep(20 * time.Millisecond)
			return next(ctx)
		}))
		defer cold.close()
		requests.Store(0) // what it has asked at its start
		var crowd sync.WaitGroup
		const clients = 1000
		for range clients {
			crowd.Go(func() {
				if got := s.askOf(t.Context(), cold, http.MethodGet, manifestURL("a", "latest"), accept, nil); got.code != http.StatusOK {
					t.Errorf("manifest: %d %s", got.code, got.body)
				}
				for _, d := range image.Layers {
					if got := s.askOf(t.Context(), cold, http.MethodGet, blobURL("a", d), nil, nil); got.code != http.StatusOK || got.body != s.world.Texts[d] {
						t.Errorf("layer: %d, %d bytes", got.code, len(got.body))
					}
				}
			})
		}
		crowd.Wait()
		// Seven keys: of each one that comes first, the others, and those who then come in between.
		const most = 7*3 + 4
		t.Logf("%d requests, and %d for the bytes of %d layers", requests.Load(), layers.Load(), len(image.Layers))
		if n := requests.Load(); n > most {
			t.Errorf("%d requests, want %d at most", n, most)
		}
		if n := layers.Load(); n > clients*int64(len(image.Layers)) {
			t.Errorf("%d requests for bytes, more than one for each", n)
		}
	})
}
