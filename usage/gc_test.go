package usage_test

import (
	"math/rand/v2"
	"testing"

	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/usage"
)

// TestCollected holds what is reclaimable to what garbage collection would take.
func TestCollected(t *testing.T) {
	for seed := range uint64(100) {
		b := random(t, rand.New(rand.NewPCG(seed, 0)))
		var want usage.Count
		_, err := gc.Run(t.Context(), b, gc.Options{DryRun: true, OnObject: func(o gc.Object) {
			if layout.IsBlob(o.Key) {
				want.Objects++
				want.Bytes += o.Size
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, b, usage.Options{}).Reclaimable.Old; got != want {
			t.Errorf("seed %d: %+v are reclaimable, gc would take %+v", seed, got, want)
		}
	}
}
