package check_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
)

// before calls do once, before the first call of op to a key with that suffix.
func before(b bucket, op driver.Op, suffix string, do func()) driver.Bucket {
	var once sync.Once
	return driver.Wrap(b.Bucket, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == op && strings.HasSuffix(c.Key, suffix) {
			once.Do(do)
		}
		return next(ctx)
	})
}

// TestYoung does not judge what may be a push under way.
func TestYoung(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	nothing := digest.FromString("nothing")
	b.put(at.Blob(digest.FromString("orphan")), "orphan")
	b.put(at.Blob(nothing), "")
	b.put(at.Blobs()+"sha256/data", "stray")
	b.put(at.Repositories()+"README", "stray")
	b.put(at.LayerLink("team/app", nothing), "malformed")
	b.put(at.LayerLink("team/app", p.arm.config.Digest), p.app.config.Digest.String())
	b.put(at.RevisionLink("team/app", nothing), "malformed")
	b.put(at.TagLink("team/app", "young"), "malformed")
	b.put(at.TagIndexLink("team/app", "young", nothing), "malformed")
	b.put(at.TagIndexLink("team/app", "incomplete", nothing), nothing.String())
	if _, found := run(t, b, check.Options{Digest: true, OlderThan: time.Hour}); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	if _, found := run(t, b, check.Options{}); len(found) < 8 {
		t.Errorf("found %d, want 8 and more: %+v", len(found), found)
	}
}

// TestPushMeanwhile has an image be pushed, and tags be moved to it, after the
// repository was listed.
func TestPushMeanwhile(t *testing.T) {
	for _, suffix := range []string{"/v1/current/link", "/link", ""} {
		b := newBucket(t)
		populate(b)
		live := before(b, driver.OpOpen, suffix, func() { b.image("team/app", "new", "v1", "latest") })
		if _, found := run(t, live, check.Options{Digest: true}); len(found) > 0 {
			t.Errorf("before %q: found %+v", suffix, found)
		}
	}
}

// TestDeletedMeanwhile has a manifest be deleted, and its tags with it, after the
// repository was listed.
func TestDeletedMeanwhile(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	live := before(b, driver.OpOpen, "/link", func() {
		b.remove(at.RevisionLink("team/app", p.app.manifest.Digest))
		for _, tag := range []string{"v1", "latest"} {
			b.remove(at.TagLink("team/app", tag))
			b.remove(at.TagIndexLink("team/app", tag, p.app.manifest.Digest))
		}
		b.remove(at.TagIndexLink("team/app", "v1", p.old.manifest.Digest))
	})
	if _, found := run(t, live, check.Options{Repair: check.Repairable()}); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// TestHealedMeanwhile has what was found be put right by somebody else.
func TestHealedMeanwhile(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	d := p.arm.layers[0].Digest
	for _, size := range []string{"", "cut", "gone"} {
		if b.put(at.Blob(d), size); size == "gone" {
			b.remove(at.Blob(d))
		}
		live := before(b, driver.OpStat, "/data", func() { b.put(at.Blob(d), "arm layer 1") })
		if _, found := run(t, live, check.Options{}); len(found) > 0 {
			t.Errorf("was %q: found %+v", size, found)
		}
	}
}

// TestRepairGivesWay has what a repair follows from change just before.
func TestRepairGivesWay(t *testing.T) {
	for name, tt := range map[string]struct {
		op     driver.Op
		suffix string
		change func(b bucket, p population, link string)
		want   string // of the detail; "" is repaired, by whomever
	}{
		"link written": {driver.OpPut, "/link", func(b bucket, p population, link string) {
			b.put(link, p.arm.layers[0].Digest.String())
		}, ""},
		"other link written": {driver.OpPut, "/link", func(b bucket, p population, link string) {
			b.put(link, p.arm.config.Digest.String())
		}, "the link has changed"},
		"blob deleted": {driver.OpStat, "/data", func(b bucket, p population, _ string) {
			b.remove(at.Blob(p.arm.layers[0].Digest))
		}, "the blob is gone"},
		"blob emptied": {driver.OpStat, "/data", func(b bucket, p population, _ string) {
			b.put(at.Blob(p.arm.layers[0].Digest), "")
		}, "the blob is empty"},
	} {
		for _, malformed := range []bool{false, true} {
			b := newBucket(t)
			p := populate(b)
			link := at.LayerLink("multi", p.arm.layers[0].Digest)
			if b.remove(link); malformed {
				b.put(link, "malformed")
			}
			live := before(b, tt.op, tt.suffix, func() { tt.change(b, p, link) })
			_, found := run(t, live, check.Options{Repair: check.Repairable()})
			if len(found) == 0 || found[0].Repaired != (tt.want == "") || !strings.HasSuffix(found[0].Detail, tt.want) {
				t.Errorf("%s, malformed %v: found %+v", name, malformed, found)
			}
			if got := b.get(link); tt.suffix == "/data" && got != map[bool]string{true: "malformed"}[malformed] {
				t.Errorf("%s, malformed %v: wrote %q", name, malformed, got)
			}
		}
	}
}

// TestRepairFollowsFrom does not write what a tag or manifest asks for that is not
// the repository's any more.
func TestRepairFollowsFrom(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	m := at.RevisionLink("multi", p.arm.manifest.Digest)
	b.remove(at.LayerLink("multi", p.arm.layers[0].Digest))
	// The read that looks whether the link is there comes before that of what it
	// follows from.
	live := before(b, driver.OpOpen, at.LayerLink("multi", p.arm.layers[0].Digest), func() { b.remove(m) })
	_, found := run(t, live, check.Options{Repair: check.Repairable()})
	if len(found) != 1 || found[0].Repaired || !strings.HasSuffix(found[0].Detail, "not repaired: what it follows from has changed") {
		t.Errorf("found %+v", found)
	}
}

// TestRepairWithoutConditions is on a store that has none.
func TestRepairWithoutConditions(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	before := b.all()
	b.remove(at.LayerLink("multi", p.arm.layers[0].Digest))
	b.put(at.LayerLink("multi", p.arm.layers[1].Digest), "malformed")
	plain := driver.WithFeatures(b.Bucket, func(f *driver.Features) { f.Conds.Put = driver.NoCond })
	if s, found := run(t, plain, check.Options{Repair: check.Repairable()}); s.Repaired != 2 {
		t.Errorf("found %+v", found)
	}
	wantSame(t, before, b.all())
}
