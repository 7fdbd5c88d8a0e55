package manifests_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestDeleteSparesMovedTag has a tag pushed anew before each call of the deletion of the manifest
// that it was. The push was acknowledged, and the tag is what it says. Where the store does not compare
// on a deletion, or would delete the version for good, the moment between the last look and the
// deletion is left.
func TestDeleteSparesMovedTag(t *testing.T) {
	for _, tt := range []struct {
		name     string
		o        mem.Options
		compares bool
	}{
		{"unversioned", mem.Options{Unversioned: true}, true},
		{"versioned", mem.Options{}, false},
		{"no conditions", mem.Options{Unversioned: true, NoConds: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for n := 1; ; n++ {
				inner := mem.NewWith(tt.o)
				other := newReplica(t, inner)
				old, next := other.pushed("a", nil), other.pushed("a", nil)
				other.tag("a", "v1", old)
				var mu sync.Mutex
				var calls []string
				b := driver.Wrap(inner, func(ctx context.Context, c *driver.Call, do func(context.Context) error) error {
					mu.Lock()
					defer mu.Unlock()
					if calls = append(calls, fmt.Sprint(c.Op)); len(calls) == n {
						other.tag("a", "v1", next)
					}
					return do(ctx)
				})
				if err := newReplica(t, b).repository("a", deleting).Delete(t.Context(), old.Descriptor().Digest); err != nil {
					t.Fatalf("moved before call %d of %v: %v", n, calls, err)
				}
				if len(calls) < n {
					break
				}
				got, err := other.repository("a", deleting).Tags().Get(t.Context(), "v1")
				lost := err != nil || got.Digest != next.Descriptor().Digest
				if want := !tt.compares && calls[n-1] == fmt.Sprint(driver.OpDelete); lost != want {
					t.Errorf("moved before call %d of %v: the tag is %s, %v", n, calls, got.Digest, err)
				}
			}
		})
	}
}

// TestDeleteFindsTagWithoutHistory has a tag deleted while it is pushed, after its history is written
// and before it is. The push was acknowledged, and the tag is there, without a history. Deleting the
// manifest takes it along: no tag leads nowhere.
func TestDeleteFindsTagWithoutHistory(t *testing.T) {
	inner := mem.New()
	other := newReplica(t, inner)
	m := other.pushed("a", nil)
	d := m.Descriptor().Digest
	r := newReplica(t, driver.Wrap(inner, func(ctx context.Context, c *driver.Call, do func(context.Context) error) error {
		if c.Op == driver.OpPut && c.Key == keys.TagLink("a", "v1") {
			if err := other.repository("a", deleting).Tags().Untag(t.Context(), "v1"); err != nil {
				t.Errorf("Untag: %v", err)
			}
		}
		return do(ctx)
	}))
	if err := r.repository("a", deleting).Push(t.Context(), m, "v1"); err != nil {
		t.Fatal(err)
	}
	if got, err := other.repository("a", deleting).Tags().Get(t.Context(), "v1"); err != nil || got.Digest != d {
		t.Fatalf("the tag is %s, %v", got.Digest, err)
	}
	if err := other.repository("a", deleting).Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if left := under(t, inner, keys.Manifests("a")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
