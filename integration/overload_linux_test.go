package integration_test

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/laws"
)

// TestOverload pushes many more blobs at once than the memory budget has room for.
// All succeed: those that don't fit wait. Afterwards nothing is left of them in the
// process.
func TestOverload(t *testing.T) {
	stores := slices.Clone(clouds[:1])
	if full() {
		stores = append(stores, lawful(laws.Options{})...)
	}
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			s.run(t, func(t *testing.T) {
				c := s.open(t)
				pushes := 60
				if full() && !underLaws(c) {
					pushes = 500
				}
				overload(t, c, pushes)
			})
		})
	}
}

func overload(t *testing.T, store cloud, pushes int) {
	t.Helper()
	const size, budget = 4 * mib, 64 * mib
	storage := store.bare(store.newBucket(t)) + "&memory_budget=64MiB"
	debug := freeAddr(t)
	config := byFile(t, storage)
	p := serving(t, append(store.env(t), "REGISTRY_HTTP_DEBUG_ADDR="+debug), config)
	before := goroutines(t, debug)

	began := time.Now()
	var wg sync.WaitGroup
	errs := make([]error, pushes)
	for i := range pushes {
		wg.Go(func() {
			c := content{size, uint64(i)}
			switch i % 3 {
			case 0:
				errs[i] = single(t, p.url, "overload", c)
			case 1:
				errs[i] = stream(t, p.url, "overload", c, true)
			default:
				errs[i] = stream(t, p.url, "overload", c, false)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	for i, err := range errs {
		if err != nil {
			t.Errorf("push %d: %v", i, err)
		}
	}
	peak := p.peak()
	const limit = budget + 192*mib
	t.Logf("%d pushes of 4 MiB at once: peak RSS %d MiB, %v", pushes, peak/mib, took.Round(time.Millisecond))
	if peak == 0 || peak > limit {
		t.Errorf("peak RSS %d MiB, want at most %d MiB", peak/mib, limit/mib)
	}
	wantPushed(t, p.url+"/v2/overload", pushes, size)
	wantSettled(t, debug, before)
}

// wantSettled waits until the process has as many goroutines as before.
func wantSettled(t *testing.T, debug string, before int) {
	t.Helper()
	client.CloseIdleConnections()
	const other = 5 // the debug server's own
	var now int
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if now = goroutines(t, debug); now <= before+other {
			return
		}
	}
	t.Errorf("%d goroutines, %d before", now, before)
}

// goroutines counts those of a process, by its debug address, but for two for each
// connection to the store that is kept for the next request.
func goroutines(t *testing.T, debug string) int {
	t.Helper()
	res, err := http.Get("http://" + debug + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, group := range strings.Split(string(text), "\n\n") {
		count, stack, ok := strings.Cut(group, " @ ")
		if !ok || strings.Contains(stack, "net/http.(*persistConn)") {
			continue
		}
		n, err := strconv.Atoi(count[strings.LastIndexByte(count, '\n')+1:])
		if err != nil {
			t.Fatalf("goroutines: %v in %.100q", err, group)
		}
		total += n
	}
	if total == 0 {
		t.Fatalf("no goroutines in %.300q", text)
	}
	return total
}
