package blobstore_test

import (
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// TestHealing commits over what broken uploads of other software left.
func TestHealing(t *testing.T) {
	p := content(4, 9000)
	d := digest.FromBytes(p)
	onEachStore(t, func(t *testing.T, newBucket func() driver.Bucket) {
		for _, chunk := range []int{0, 2500, 9000} {
			for _, there := range [][]byte{{}, p[:500]} {
				b := newBucket()
				put(t, b, blobKey(d), there)
				put(t, b, linkKey("app", d), []byte(d))
				s := newStore(t, b)
				repo := newRepository(t, s, "app")
				if len(there) == 0 {
					if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
						t.Errorf("Stat of a blob without bytes: %v", err)
					}
				}
				if err := push(repo, p, chunk, d); err != nil {
					t.Fatalf("by %d, over %d bytes: %v", chunk, len(there), err)
				}
				wantContent(t, repo, d, p)
				wantKeys(t, b, 2, s)
			}
		}
	})
}
