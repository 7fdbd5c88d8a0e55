package survey

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
)

// TestList gives each digest one ID, counted from 0, whatever the order of the listing, and finds
// it again.
func TestList(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var all []digest.Digest
		for i := range rng.IntN(300) {
			all = append(all, digest.FromString(fmt.Sprint(i)))
			if rng.IntN(20) == 0 {
				all = append(all, digest.SHA512.FromString(fmt.Sprint(i)))
			}
		}
		slices.Sort(all)
		if n := len(all); seed%2 == 1 && n > 1 { // some are out of order
			i, j := rng.IntN(n), rng.IntN(n)
			all[i], all[j] = all[j], all[i]
		}
		var x Digests
		for i, d := range all {
			if id := x.List(d); int(id) != i {
				t.Fatalf("seed %d: digest %d has ID %d", seed, i, id)
			}
		}
		if id := x.ID(digest.FromString("another")); int(id) != len(all) {
			t.Errorf("seed %d: another one has ID %d, want %d", seed, id, len(all))
		}
		for i, d := range all {
			if found, ok := x.Find(d); !ok || int(found) != i || x.ID(d) != found || x.List(d) != found {
				t.Errorf("seed %d: found %d, %v, want %d", seed, found, ok, i)
			}
		}
		if id, ok := x.Find(digest.FromString("none")); ok {
			t.Errorf("seed %d: found %d", seed, id)
		}
	}
}
