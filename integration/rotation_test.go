package integration_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// rotation is a store whose credentials are exchanged while a registry uses it. The store
// refuses the old ones as soon as the registry could have the new ones.
type rotation struct {
	storage string // for the registry: a URL with a file of credentials
	store   cloud  // the same bucket without a change
	bucket  string
	// rotate exchanges the credentials for the n-th time, from 1.
	rotate func(n int)
	gate   *gate
}

// gate is the credentials that a store accepts at the moment, and what it has seen of them.
type gate struct {
	mu      sync.Mutex
	valid   []string // what tells credentials from others; the last are the newest
	issued  []string // all that there have been
	newest  int      // requests with the newest
	refused int
}

// issue has the gate accept these credentials, too.
func (g *gate) issue(credentials string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid, g.issued, g.newest = append(g.valid, credentials), append(g.issued, credentials), 0
}

// all are the credentials that have been issued.
func (g *gate) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.issued)
}

// revoke has the gate accept the newest alone.
func (g *gate) revoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.valid = g.valid[len(g.valid)-1:]
}

// admits reports whether a request is accepted, which has tells of valid credentials to be its.
func (g *gate) admits(has func(credentials string) bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, valid := range g.valid {
		if has(valid) {
			if i == len(g.valid)-1 {
				g.newest++
			}
			return true
		}
	}
	g.refused++
	return false
}

// replaceFile replaces a file as mounted secrets are: by another of the same name.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Error(err)
		return
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Error(err)
	}
}

// rotatedWays are the ways to push: most blobs are small, and some have several parts.
var rotatedWays = []func(t *testing.T, base string, seed uint64) (digest.Digest, error){
	storming(64*kib, 0, true), storming(64*kib, 64*kib, true), storming(kib, 0, true), storming(3*mib, mib, true),
	storming(64*kib, 64*kib, false), storming(12*mib, 12*mib, false), storming(100*kib, 64*kib, true),
	storming(64*kib, 0, true), storming(13*mib, 7*mib, true), storming(12*mib, 0, true),
}

// TestRotatingCredentials pushes by several clients while the registry's credentials are
// exchanged several times. The clients repeat nothing, the registry goes on as it is, and no
// push fails.
func TestRotatingCredentials(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) rotation{"s3": rotatingS3, "gcs": rotatingGCS, "azure": rotatingAzure} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t)
			const clients, interval = 8, 300 * time.Millisecond
			pushes, each := 40, 5
			if full() {
				pushes, each = 200, 10
			}
			p := serving(t, nil, byFile(t, r.storage+smallParts))
			var mu sync.Mutex
			pushed := make(map[digest.Digest]struct{})
			var failed, rotations atomic.Int64
			work := make(chan int)
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for i := range work {
						d, err := rotatedWays[i%len(rotatedWays)](t, p.url, uint64(i))
						if err != nil {
							failed.Add(1)
							t.Errorf("push %d, after %d rotations: %v\n%s", i, rotations.Load(), err, lastLines(p.stderr.String(), 12))
						}
						mu.Lock()
						pushed[d] = struct{}{}
						mu.Unlock()
					}
				})
			}
			for i, last := 0, time.Now(); i < pushes; i++ {
				if i > 0 && i%each == 0 {
					time.Sleep(interval - time.Since(last)) // nobody exchanges them faster
					r.rotate(int(rotations.Add(1)))
					last = time.Now()
				}
				work <- i
			}
			close(work)
			wg.Wait()
			r.gate.mu.Lock()
			newest, refused := r.gate.newest, r.gate.refused
			r.gate.mu.Unlock()
			t.Logf("%d pushes, %d failed; %d rotations; the store refused %d requests, and accepted %d with the last credentials",
				pushes, failed.Load(), rotations.Load(), refused, newest)
			if refused == 0 || newest == 0 {
				t.Errorf("the store refused %d requests, and accepted %d with the last credentials, want some of both", refused, newest)
			}
			inside := look(t, r.store, r.bucket)
			for d := range pushed {
				wantBlob(t, inside, blobKey(d), d)
			}
		})
	}
}

// lastLines are the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}
