package check_test

import (
	"log/slog"
	"testing"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/gc"
)

// TestCollectedBeforeRepair collects garbage where something can be repaired: a repair refers to
// nothing that is garbage without it, so that a collection may run at any time.
func TestCollectedBeforeRepair(t *testing.T) {
	for name, damage := range map[string]func(bucket, population){
		"tag without history":      func(b bucket, p population) { b.remove(at.TagIndexLink("team/app", "v1", p.app.manifest.Digest)) },
		"tag that holds nothing":   func(b bucket, _ population) { b.put(at.TagLink("team/app", "latest"), "") },
		"manifest without link":    func(b bucket, p population) { b.remove(at.RevisionLink("team/app", p.app.manifest.Digest)) },
		"manifest, malformed link": func(b bucket, p population) { b.put(at.RevisionLink("team/app", p.app.manifest.Digest), "?") },
		"layer without link":       func(b bucket, p population) { b.remove(at.LayerLink("team/app", p.app.config.Digest)) },
		"layer, malformed link":    func(b bucket, p population) { b.put(at.LayerLink("team/app", p.app.config.Digest), "?") },
		"layer, link to another": func(b bucket, p population) {
			b.put(at.LayerLink("team/app", p.app.config.Digest), p.arm.config.Digest.String())
		},
		"child of an index, unlinked": func(b bucket, p population) { b.remove(at.RevisionLink("multi", p.arm.manifest.Digest)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			damage(b, populate(b))
			if _, err := gc.Run(t.Context(), b.Bucket, gc.Options{Offline: true, Untagged: true, Log: slog.New(slog.DiscardHandler)}); err != nil {
				t.Fatal(err)
			}
			if sum, found := run(t, b, check.Options{Repair: check.Repairable()}); sum.Repaired == 0 || sum.Repaired != sum.Damaged {
				t.Errorf("%+v, found %+v", sum, found)
			}
			if sum, found := run(t, b, check.Options{}); sum.Damaged > 0 {
				t.Errorf("after the repair: %+v", found)
			}
		})
	}
}
