//go:build unix

package integration_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/blobdock/blobdock/driver"
)

const (
	historyReplicas = 3
	historyClients  = 6
	historyKeyCount = 5
	historyRound    = 5 * time.Second
	historyLeast    = 300 // operations of a round, for which it goes on
	historyMost     = 40 * time.Second
	// historyTTL is what DefaultLookupTTL is in a history: so short that it passes between deletions,
	// which empty caches.
	historyTTL = 400 * time.Millisecond
	// historySeedVar has a run begin with a seed.
	historySeedVar = "BLOBDOCK_HISTORY_SEED"
)

// TestHistories records what clients of several processes see while these are killed, stopped and
// cut off from the store, and has porcupine check that each tag, manifest and blob could have been
// a register: docs/reliability.md. Full runs go on for 5 minutes on each store.
func TestHistories(t *testing.T) {
	t.Parallel()
	onAll(t, clouds, func(t *testing.T, _ store, c cloud) {
		seed, rounds := uint64(1), time.Duration(0)
		if full() {
			rounds = 5 * time.Minute
		}
		if text := os.Getenv(historySeedVar); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatalf("%s=%q: want a number", historySeedVar, text)
			}
			seed = n
		}
		bucket := c.newBucket(t)
		into := &history{start: time.Now()}
		replicas := newReplicas(t, c, bucket, historyReplicas, fmt.Sprintf("&retry_total=1s&lookup_ttl=%v", historyTTL), into)
		started, compares := historyReplicas, look(t, c, bucket).Features().Conds.Delete&driver.CondIfMatch != 0
		for began := time.Now(); ; seed++ {
			started = historyOf(t, replicas, into, started, seed, compares)
			if t.Failed() || time.Since(began) >= rounds {
				return
			}
		}
	})
}

// historyOf makes a history and checks it. It returns how many processes have run by then.
func historyOf(t *testing.T, replicas []*historyReplica, into *history, started int, seed uint64, compares bool) int {
	t.Helper()
	into.reset()
	began, keys := time.Now(), newHistoryKeys(t, seed, historyKeyCount, compares)
	for _, kind := range []string{"tags", "manifests"} {
		push(t, replicas[0].running.url, keys.repo+"/"+kind, content{historyConfig, 1}, 0)
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait() // also when a process does not start: clients end with the test
	for i := range historyClients {
		c := &historyClient{t, i, rand.New(rand.NewPCG(seed, uint64(i))), replicas, keys, into}
		wg.Go(func() { c.run(over) })
	}
	n := &nemesis{t, replicas, rand.New(rand.NewPCG(seed, historyClients)), into, started, make(map[string]int)}
	n.run(func() bool {
		took := time.Since(began)
		return took >= historyRound && into.count() >= historyLeast || took >= historyMost
	})
	close(over)
	wg.Wait()
	if !t.Failed() {
		lookAtAll(t, &historyClient{t, historyClients, nil, replicas, keys, into})
	}
	if !slices.ContainsFunc(into.events, func(e event) bool { return e.op == opPut && e.answered() }) {
		t.Error("the history tells nothing")
	}
	strict := judgeHistory(t, into, seed)
	t.Logf("seed %d: %s; faults %v; %d of %d keys were strictly linearizable", seed, into.counts(), n.counts, strict, len(into.of()))
	return n.started
}

// lookAtAll looks at all keys by all replicas, which answer now.
func lookAtAll(t *testing.T, c *historyClient) {
	t.Helper()
	for _, r := range c.replicas {
		for kind := tagRegister; kind <= blobRegister; kind++ {
			for key := range c.keys.blobs {
				for _, op := range []operation{opHead, opRead} {
					var e event
					if !within(time.Minute, func() bool {
						e = c.do(r, event{registerName: registerName{kind, key}, op: op})
						return e.answered()
					}) {
						t.Errorf("nothing is wrong any more, and no answer: %s", e)
					}
				}
			}
		}
	}
}

// judgeHistory checks each register's history. A page that shows one that could not have been is
// kept after the test. It returns how many would pass without cached answers and repeated writes.
func judgeHistory(t *testing.T, h *history, seed uint64) (strict int) {
	t.Helper()
	lost := h.lostReplies() // replicas may still be at something
	for name, events := range h.of() {
		if porcupine.CheckOperationsTimeout(register, stepsOf(events, nil, 0), historyPatience) == porcupine.Ok {
			strict++
			continue
		}
		result, info := porcupine.CheckOperationsVerbose(register, stepsOf(events, lost, historyTTL), time.Minute)
		if result == porcupine.Ok {
			continue
		}
		page, err := historyPage(fmt.Sprintf("%s%d", name.kind, name.key), h, info)
		if err != nil {
			t.Error(err)
		}
		t.Errorf("no order of what was done with %s %d explains what clients saw (%s): %s\nonce more: %s=%d BLOBDOCK_EMULATOR=%s go test -count=1 -run '^%s$' ./integration\n%s",
			name.kind, name.key, result, page, historySeedVar, seed, os.Getenv("BLOBDOCK_EMULATOR"), t.Name(), listed(events))
	}
	return strict
}

// historyPage writes porcupine's page of a register's history, which stays after the test.
func historyPage(name string, h *history, info porcupine.LinearizationInfo) (path string, err error) {
	dir, err := os.MkdirTemp("", "blobdock-history-")
	if err != nil {
		return "", err
	}
	info.AddAnnotations(h.annotations())
	path = filepath.Join(dir, name+".html")
	return path, porcupine.VisualizePath(register, info, path)
}
