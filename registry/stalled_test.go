package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/file"
)

// TestThousandsOfStalledClients has 2,000 clients send 100 KiB each and then nothing, on
// connections that stay open. Together they hold less than 256 MiB with the default
// options, buffers of connections and stacks included. Pushes beside them send the store
// the requests that they send without them, and no more: half of the budget has room for
// each, however slow the store is. What the clients sent is kept. A fifth of all that is for
// every day.
func TestThousandsOfStalledClients(t *testing.T) {
	clients, sent, limit, budget := 400, 100<<10, int64(256<<20)/5, "&memory_budget=48MiB"
	if os.Getenv("BLOBDOCK_TEST_FULL") != "" {
		clients, limit, budget = 2000, 256<<20, ""
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(2*clients+200) {
		t.Fatalf("want %d open files, may have %d (%v): raise ulimit -n", 2*clients+200, files.Cur, err)
	}
	dir, err := file.New(t.TempDir(), file.Options{}) // bytes in the store are not in memory
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var calls []driver.Op
	under := 0
	b := driver.Wrap(dir, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		mu.Lock()
		calls = append(calls, c.Op)
		under++
		mu.Unlock()
		defer func() { mu.Lock(); under--; mu.Unlock() }()
		return next(ctx)
	})
	// quiet waits until the store has had nothing to do for a while, and begins to count.
	quiet := func(d time.Duration) {
		t.Helper()
		for range 600 {
			mu.Lock()
			n := len(calls)
			mu.Unlock()
			time.Sleep(d)
			mu.Lock()
			done := len(calls) == n && under == 0
			calls = nil
			mu.Unlock()
			if done {
				return
			}
		}
		t.Fatal("the store is never quiet")
	}
	srv := httptest.NewServer(handler(t, b, "body_timeout=1h"+budget))
	defer srv.Close()
	push := func(seed byte, size int) string {
		t.Helper()
		p := content(size)
		p[0] = seed
		at := begin(t, srv, "a")
		if res, body := do(t, http.MethodPut, withDigest(at, digest.FromBytes(p)), nil, bytes.NewReader(p)); res.StatusCode != http.StatusCreated {
			t.Fatalf("PUT: %s: %s", res.Status, body)
		}
		mu.Lock()
		sends := slices.DeleteFunc(slices.Clone(calls), func(op driver.Op) bool { return op == driver.OpDelete || op == driver.OpDeleteBatch }) // behind the answer
		mu.Unlock()
		quiet(time.Second / 3)
		slices.Sort(sends)
		return fmt.Sprint(sends)
	}
	sizes := []int{1000, 1 << 20, 20 << 20}
	var alone []string
	for i, size := range sizes {
		push(0, size) // what is made once
		alone = append(alone, push(byte(i+1), size))
	}

	before := memory()
	p := content(sent)
	ats := make([]string, clients)
	conns := make([]net.Conn, clients)
	for i := range clients {
		ats[i] = begin(t, srv, "a")
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
		path := "/v2/" + strings.SplitN(ats[i], "/v2/", 2)[1]
		if _, err := fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: registry\r\n%sContent-Length: 1000000\r\n\r\n%s", path, octets, p); err != nil {
			t.Fatal(err)
		}
	}
	quiet(3 * time.Second / 2)
	grew := memory().minus(before)
	t.Logf("%d clients hold %s", clients, grew)
	if all := grew.heap + grew.stacks; all > limit {
		t.Errorf("%d bytes of heap and stacks, want at most %d", all, limit)
	}
	for i, size := range sizes {
		if got := push(byte(i+11), size); got != alone[i] {
			t.Errorf("a push of %d bytes beside stalled clients sends %s, alone %s", size, got, alone[i])
		}
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	quiet(3 * time.Second / 2)
	for i := 0; i < clients; i += clients / 10 {
		res, body := do(t, http.MethodGet, ats[i], nil, nil)
		if got, want := res.Header.Get("Range"), fmt.Sprintf("0-%d", sent-1); got != want {
			t.Errorf("client %d: %s with %q, want %q: %s", i, res.Status, got, want, body)
		}
	}
}

// used is memory of this process, in bytes: what is live, and what the process takes.
type used struct{ heap, stacks, rss int64 }

func (u used) minus(v used) used { return used{u.heap - v.heap, u.stacks - v.stacks, u.rss - v.rss} }

func (u used) String() string {
	return fmt.Sprintf("%d MiB of heap and %d MiB of stacks; the process takes %d MiB more", u.heap>>20, u.stacks>>20, u.rss>>20)
}

func memory() used {
	runtime.GC() // what sync.Pools have takes two
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := used{heap: int64(m.HeapAlloc), stacks: int64(m.StackInuse)}
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size int64
		_, _ = fmt.Sscan(string(b), &size, &u.rss)
		u.rss *= int64(os.Getpagesize())
	}
	return u
}
