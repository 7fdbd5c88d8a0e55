package gc_test

import (
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gc"
)

// TestQuarantine takes an image away, and gets it back by its digest; later it is gone for good.
func TestQuarantine(t *testing.T) {
	onEach(t, func(t *testing.T, b driver.Bucket) {
		r := newReplica(t, b)
		m, other := r.image("team/app", "layer", "v1"), r.image("other", "another layer", "v1")
		r.delete("team/app", m)
		r.delete("other", other)
		time.Sleep(day + time.Minute)
		o := gc.Options{Quarantine: 7 * day}
		if s := collect(t, b, o); s.Deleted != 6 {
			t.Fatalf("%+v, want two blobs and a link of each image", s)
		}
		if err := whole(t, b, "team/app", m.Descriptor().Digest.String()); err == nil {
			t.Fatal("it is there still")
		}
		time.Sleep(2 * time.Minute)

		// Deleting the manifest has taken its link, which is no garbage: the image comes back when
		// its manifest is pushed again.
		dry, err := gc.Restore(t.Context(), b, gc.RestoreOptions{Repository: "team/app", DryRun: true})
		if err != nil || dry != 5 {
			t.Errorf("dry run: %d, %v, want four blobs and a link", dry, err)
		}
		n, err := gc.Restore(t.Context(), b, gc.RestoreOptions{Repository: "team/app"})
		if err != nil || n != 5 {
			t.Errorf("restored %d, %v, want four blobs and a link", n, err)
		}
		if n, err := gc.Restore(t.Context(), b, gc.RestoreOptions{Repository: "team/app"}); err != nil || n != 0 {
			t.Errorf("restored %d more, %v", n, err)
		}
		if err := newReplica(t, b).repository("team/app").Push(t.Context(), m, "v1"); err != nil {
			t.Fatal(err)
		}
		if err := whole(t, b, "team/app", "v1"); err != nil {
			t.Error(err)
		}
		time.Sleep(8 * day)
		collect(t, b, o) // takes other's blobs again, and has them in quarantine
		time.Sleep(8 * day)
		collect(t, b, o)
		if left := list(t, b, keys.Root+"/_quarantine/"); len(left) != 0 {
			t.Errorf("in quarantine: %q", left)
		}
		if err := whole(t, b, "team/app", "v1"); err != nil {
			t.Error(err)
		}
	})
}
