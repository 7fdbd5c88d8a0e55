package integration_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

// TestAzureKept counts the bytes that soft delete or versioning keep of a push: what was
// overwritten or deleted. docs/operating.md tells of them.
func TestAzureKept(t *testing.T) {
	t.Parallel()
	const size = 20 * mib
	for name, tt := range map[string]struct {
		chunk int64
		most  int64 // bytes that are kept
	}{
		"one PUT": {0, 0},
		// Pieces, and what is behind the last one in a state and once more as a piece.
		"PATCH": {size, size + 5*mib + 64*kib},
	} {
		t.Run(name, func(t *testing.T) {
			a, e := laws.Azure(t, emulator.StartAzure(t), laws.Options{}, "azure")
			c := azureCloud{Azure: a, lawful: true}
			bucket := c.newBucket(t)
			push(t, serve(t, inParts(t, c, bucket)).URL, "app", content{size, 1}, tt.chunk)
			behind := look(t, plainly(t, c), bucket)
			tidy := func() bool {
				return !slices.ContainsFunc(keys(t, behind), func(key string) bool { return strings.Contains(key, "/_uploads/") })
			}
			for end := time.Now().Add(20 * time.Second); !tidy(); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the upload is not tidied up")
				}
			}
			if got := e.Bytes("azure-soft-delete"); got > tt.most {
				t.Errorf("%d bytes are kept, want %d at most", got, tt.most)
			}
			if got := e.Bytes("uncommitted-blocks"); got != 0 {
				t.Errorf("%d bytes wait in blocks", got)
			}
		})
	}
}
