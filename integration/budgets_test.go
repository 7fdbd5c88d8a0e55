package integration_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/blobdock/blobdock/integration/wire"
)

const (
	kib = int64(1) << 10
	mib = int64(1) << 20
	gib = int64(1) << 30
)

// limit is what a piece of work may cost at most.
type limit struct {
	requests int
	copied   int64 // bytes
}

// nothing is copied by pushes whose parts need not move.
const nothing = 0

// budgets are what each piece of work may cost at each store, whatever the golden
// file says.
//
// 256 MiB in PATCHes of 1 MiB may cost 340 requests. Emulators take up to a minute for
// that, so it is for full runs, and in all runs there is an eighth of it, with an eighth
// of the limit and what is paid once per push. MinIO, which does not list uploads, costs
// two more.
var budgets = []struct {
	name           string
	run            func(t *testing.T, replicas []string)
	s3, gcs, azure limit
}{
	{"push_stream_64KiB", pushing(content{64 * kib, 1}, 64*kib), limit{4, nothing}, limit{4, nothing}, limit{4, nothing}},
	{"push_stream_64KiB_by_3_replicas", pushingBy3(content{64 * kib, 4}), limit{6, nothing}, limit{6, nothing}, limit{6, nothing}},
	{"push_put_64KiB", pushing(content{64 * kib, 2}, 0), limit{2, nothing}, limit{2, nothing}, limit{2, nothing}},
	{"push_stream_8MiB", pushing(content{8 * mib, 1}, 8*mib), limit{4, nothing}, limit{4, nothing}, limit{4, nothing}},
	{"push_stream_8MiB_by_3_replicas", pushingBy3(content{8 * mib, 4}), limit{6, nothing}, limit{6, nothing}, limit{6, nothing}},
	{"push_put_8MiB", pushing(content{8 * mib, 2}, 0), limit{2, nothing}, limit{2, nothing}, limit{2, nothing}},
	{"push_patches_8MiB_of_1MiB", pushing(content{8 * mib, 3}, mib), limit{12, nothing}, limit{12, nothing}, limit{12, nothing}},
	{"push_patches_32MiB_of_1MiB", pushing(content{32 * mib, 1}, mib), limit{48, 32 * mib}, limit{46, nothing}, limit{46, 32 * mib}},
	{"push_patches_256MiB_of_1MiB", pushing(content{256 * mib, 1}, mib), limit{340, 256 * mib}, limit{340, nothing}, limit{340, 256 * mib}},
	{"push_put_64MiB", pushing(content{64 * mib, 1}, 0), limit{30, nothing}, limit{30, nothing}, limit{30, nothing}},
	{anothers, pushing(content{256 * mib, 2}, 0), limit{4, nothing}, limit{4, nothing}, limit{4, nothing}},
	{"push_put_1GiB", pushing(large, 0), limit{80, nothing}, limit{80, nothing}, limit{80, nothing}},
	{"pull_1GiB", func(t *testing.T, replicas []string) { pullSame(t, replicas[0], "budget", large) }, limit{5, nothing}, limit{5, nothing}, limit{5, nothing}},
	{"push_image_of_5_layers", pushImage, limit{30, nothing}, limit{30, nothing}, limit{30, nothing}},
	{"pull_pushed_image_of_5_layers", pullImage, limit{7, nothing}, limit{7, nothing}, limit{7, nothing}},
	{"pull_image_of_5_layers_from_another_replica", func(t *testing.T, replicas []string) { pullImage(t, replicas[1:]) }, limit{15, nothing}, limit{15, nothing}, limit{15, nothing}},
	{streams, pushingTogether(3, streamKnown), limit{650, nothing}, limit{650, nothing}, limit{650, nothing}},
	{"push_200_puts_of_10KiB_by_8_clients", pushingTogether(4, single), limit{400, nothing}, limit{400, nothing}, limit{400, nothing}},
}

// slow is what takes the emulators long: it is done in full runs only.
var slow = map[string]bool{"push_patches_256MiB_of_1MiB": true, "push_put_1GiB": true, "pull_1GiB": true}

// anothers is a push of content that another repository has: none of it is sent.
const anothers = "push_put_256MiB_of_another_repository"

// streams is pushes by clients at the same time. One request removes what they have left in a
// while, so that the number of these requests varies: they count towards the limit, and the
// golden file has all others.
const streams = "push_200_streams_of_10KiB_by_8_clients"

// removes are the requests that remove objects.
var removes = map[string]bool{
	"DeleteObject": true, "DeleteObjects": true, "objects.delete": true, "batch": true, "Delete Blob": true, "Blob Batch": true,
}

var large = content{gib, 1}

// TestBudgets pins what each kind of push and pull costs in requests to the store,
// and holds it to limits that no update of the golden file can lift. The registry
// is the program, which the race detector does not slow down.
func TestBudgets(t *testing.T) {
	t.Parallel()
	golden := filepath.Join("testdata", "budgets.golden")
	pinned := readLines(t, golden)
	var mu sync.Mutex
	table := make(map[string][]string) // by store
	t.Run("stores", func(t *testing.T) {
		sideBySide(t, func(t *testing.T, c cloud) {
			lines := spend(t, c, pinned)
			mu.Lock()
			defer mu.Unlock()
			table[storeOf(t)] = lines
		})
	})
	var all []string
	for _, tc := range clouds {
		all = append(all, table[tc.name]...)
	}
	t.Logf("requests to the store:\n%s", strings.Join(all, "\n"))
	if update() {
		if err := os.WriteFile(golden, []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// storeOf is the last part of a test's name.
func storeOf(t *testing.T) string { return t.Name()[strings.LastIndexByte(t.Name(), '/')+1:] }

// spend does all that has a budget on one store, and returns its lines of the
// golden file.
func spend(t *testing.T, direct cloud, pinned []string) []string {
	t.Helper()
	store := storeOf(t)
	maker, _, governed := strings.Cut(store, "-")
	c, proxy := direct.through(t)
	bucket := direct.newBucket(t)
	var replicas []string
	for i := range uint64(3) {
		base := serving(t, c.env(t), byFile(t, c.bare(bucket))).url
		// The first requests also look whether there is a bucket at all.
		push(t, base, "warm", content{kib, i}, 0)
		replicas = append(replicas, base)
	}
	settled(proxy)

	var table []string
	for _, tc := range budgets {
		want := map[string]limit{"s3": tc.s3, "gcs": tc.gcs, "azure": tc.azure}[maker]
		if !full() && (slow[tc.name] || tc.name == anothers && store != "s3") {
			table = append(table, linesOf(pinned, store, tc.name)...)
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == anothers {
				push(t, replicas[0], "another", content{256 * mib, 2}, 0)
				settled(proxy)
			}
			proxy.Reset()
			tc.run(t, replicas)
			got := settled(proxy)
			delete(got.Ops, wire.Tombstones) // comes with any push, once a minute
			if got.Requests() > want.requests || got.Copied > want.copied {
				t.Errorf("%v and %d bytes copied, want at most %d and %d", got, got.Copied, want.requests, want.copied)
			}
			if tc.name == anothers && got.Sent > kib { // the link has some bytes
				t.Errorf("%d bytes sent, want none of the content", got.Sent)
			}
			// It shows an empty blob at the digest's key until it is done.
			if n := got.Ops["Copy Blob"]; n > 0 {
				t.Errorf("%d asynchronous copies, want none", n)
			}
			if tc.name == streams {
				t.Logf("all requests: %v", got)
				maps.DeleteFunc(got.Ops, func(op string, _ int) bool { return removes[op] })
			}
			line := fmt.Sprintf("%s %s: %v", store, tc.name, got)
			if got.Copied > 0 {
				line += fmt.Sprintf(", %d MiB copied by the store", got.Copied/mib)
			}
			if governed {
				t.Log(line) // the golden file has the emulators as they are
				return
			}
			table = append(table, line)
			if !update() && !slices.Contains(pinned, line) {
				t.Errorf("not as pinned, run with -update if that is meant:\n%s", line)
			}
		})
	}
	return table
}

// linesOf are those that the golden file has of one piece of work.
func linesOf(pinned []string, store, name string) (lines []string) {
	for _, line := range pinned {
		if strings.HasPrefix(line, store+" "+name+": ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// settled is what was counted once there come no requests any more: what a push leaves is
// removed a little later.
func settled(p *wire.Proxy) wire.Counts {
	const quiet = 2 * time.Second
	for {
		before := p.Counts()
		time.Sleep(quiet)
		if got := p.Counts(); got.Requests() == before.Requests() {
			return got
		}
	}
}

// pushing pushes c in PATCHes of chunk bytes, or with the PUT.
func pushing(c content, chunk int64) func(*testing.T, []string) {
	return func(t *testing.T, replicas []string) { push(t, replicas[0], "budget", c, chunk) }
}

// pushingBy3 pushes c by POST, PATCH and PUT to a replica each.
func pushingBy3(c content) func(*testing.T, []string) {
	return func(t *testing.T, replicas []string) {
		at := begin(t, replicas[0], "budget")
		at = patch(t, onReplica(t, replicas[1], at), c, 0, c.size)
		put(t, onReplica(t, replicas[2], at), c.digest(), nil)
	}
}

// pushingTogether pushes 200 blobs of 10 KiB by 8 clients at once.
func pushingTogether(seed uint64, push func(t *testing.T, base, repo string, c content) error) func(*testing.T, []string) {
	return func(t *testing.T, replicas []string) {
		const blobs, clients = 200, 8
		var wg sync.WaitGroup
		for i := range uint64(clients) {
			wg.Go(func() {
				for j := range uint64(blobs / clients) {
					if err := push(t, replicas[0], "budget", content{10 * kib, seed<<32 | i<<16 | j}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// streamKnown pushes c by POST, PATCH and PUT.
func streamKnown(t *testing.T, base, repo string, c content) error {
	t.Helper()
	return stream(t, base, repo, c, true)
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !update() {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// pushImage pushes a config, 5 layers and a manifest as crane does, which looks
// for each blob before it sends it.
func pushImage(t *testing.T, replicas []string) {
	t.Helper()
	img, err := random.Image(64*kib, 5)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(replicas[0], "http://") + "/budget/image:latest")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// pullImage pulls what pushImage has pushed. Redirects are on, so that the blobs
// themselves come from the store.
func pullImage(t *testing.T, replicas []string) {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(replicas[0], "http://") + "/budget/image:latest")
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := img.RawConfigFile(); err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		r, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil { // compares the digest
			t.Fatal(err)
		}
		r.Close()
	}
}
