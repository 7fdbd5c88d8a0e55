package emulator

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

// newName is a name that nobody else takes, as every store allows it for buckets.
func newName() string { return "blobdock-" + strings.ToLower(rand.Text()[:12]) }

// forTest makes a bucket for the time of a test. One that can't be removed fails
// nothing.
func forTest(tb testing.TB, create func(context.Context) (string, error), drop func(context.Context, string) error) string {
	tb.Helper()
	name, err := create(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := drop(ctx, name); err != nil {
			tb.Logf("bucket stays: %v", err)
		}
	})
	return name
}
