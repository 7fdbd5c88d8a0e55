package upload

import (
	"errors"
	"testing"
	"time"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestMaxAge refuses uploads that have rested for longer than uploads are continued.
func TestMaxAge(t *testing.T) {
	b := mem.NewWith(small(mem.Imitations()["minio"]))
	o := testOptions(memory.New(1 << 20))
	young := New(b, o)
	first := post(t, young)
	id := patch(t, young, first, bytesOf(100, 1))
	o.MaxAge = 20 * time.Millisecond
	time.Sleep(50 * time.Millisecond)
	old := New(b, o)
	for _, id := range []string{first, id} {
		if _, err := old.Resume(t.Context(), "repo", id, Request{Length: -1}); !errors.Is(err, ErrUnknown) {
			t.Errorf("Resume(%s): %v, want %v", id, err, ErrUnknown)
		}
		if _, err := young.Resume(t.Context(), "repo", id, Request{Length: -1}); err != nil {
			t.Errorf("Resume(%s) while it is young: %v", id, err)
		}
	}
	if _, err := old.Status(t.Context(), "repo", first); !errors.Is(err, ErrUnknown) {
		t.Errorf("status: %v, want %v", err, ErrUnknown)
	}
}
