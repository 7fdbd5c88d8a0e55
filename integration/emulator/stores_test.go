//go:build stores

package emulator

import (
	"strings"
	"testing"
)

// TestStores starts each store.
func TestStores(t *testing.T) {
	for _, name := range Stores() {
		t.Run(name, func(t *testing.T) {
			s := NewStore(t, name)
			bucket := s.NewBucket(t)
			want := strings.Repeat("blobdock ", 1<<17)
			put(t, s, bucket, "a/key", want)
			if got := get(t, s, bucket, "a/key"); got != want {
				t.Errorf("got %d bytes, want the %d that were put", len(got), len(want))
			}
		})
	}
}
