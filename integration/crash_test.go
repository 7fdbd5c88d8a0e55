package integration_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/blobdock/blobdock/blobstore"
)

// TestKill kills a process in the midst of a PATCH whose client is slow. Another
// process on the same bucket has what was acknowledged and goes on from there.
func TestKill(t *testing.T) { onEach(t, kills) }

func kills(t *testing.T, store cloud) {
	bucket := store.newBucket(t)
	env, config := store.env(t), byFile(t, store.bare(bucket)+smallParts)
	one, two := serving(t, env, config), serving(t, env, config)
	inside := look(t, store, bucket)

	c := content{38 * mib, 7}
	const acknowledged, sent = 6 * mib, 25 * mib
	at := patch(t, begin(t, one.url, "killed"), c, 0, acknowledged)
	unfinished(t, at, c, acknowledged, sent)
	// All of it is in the kernel's hands; give some of it time to reach the store.
	time.Sleep(300 * time.Millisecond)
	one.kill()
	at = onReplica(t, two.url, at)
	res := do(t, http.MethodGet, at, nil, nil).want(t, http.StatusNoContent)
	var last int64
	if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &last); err != nil || last+1 < acknowledged || last+1 > sent {
		t.Fatalf("status after the crash: %q (%v), want at least %d bytes", res.Header.Get("Range"), err, acknowledged)
	}
	at = patch(t, res.location(), c, last+1, 32*mib)

	// The process that was killed comes back, and the upload with it.
	one = serving(t, env, config)
	put(t, onReplica(t, one.url, at), c.digest(), c.section(32*mib, 6*mib))
	pull(t, two.url, "killed", c.digest(), c.size)
	// Pieces that no state of the dead names are left to the sweep.
	if _, err := engine(t, inside, 0).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
		t.Errorf("sweep: %v", err)
	}
	wantNoUploads(t, inside)
}
