package check_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
)

func wantSame(t *testing.T, want, got map[string]string) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("bucket (-want +got):\n%s", diff)
	}
}

// TestStoreFails finds nothing where the store does not answer.
func TestStoreFails(t *testing.T) {
	for _, kind := range []driver.Kind{driver.Denied, driver.Throttled, driver.Unavailable, driver.NoBucket, driver.Invalid} {
		for _, rule := range []fault.Rule{
			{Op: driver.OpList}, {Op: driver.OpList, Nth: 2}, {Op: driver.OpOpen}, {Op: driver.OpOpen, Nth: 7},
			{Op: driver.OpOpen, Key: "*/data"}, {Op: driver.OpOpen, Key: "*/current/link"}, {Op: driver.OpOpen, Where: fault.MidBody},
			{Op: driver.OpStat},
		} {
			b := newBucket(t)
			p := populate(b)
			b.remove(at.Blob(p.old.layers[0].Digest)) // which takes a Stat to be sure of
			rule.Kind = kind
			_, err := check.Run(t.Context(), fault.Wrap(b, fault.Script{rule}), check.Options{OlderThan: 1, Digest: true, OnFinding: func(f check.Finding) {
				t.Errorf("%v: found %+v", rule, f)
			}})
			if !errors.Is(err, kind) {
				t.Errorf("%v: %v, want %v", rule, err, kind)
			}
		}
	}
}

// TestEachCallFails has each call of a repair fail, in each way. What is there
// afterwards is damaged or repaired, and nothing else; a check that ends well has
// found all.
func TestEachCallFails(t *testing.T) {
	var before map[string]string
	var link, malformed string
	newRegistry := func() driver.Bucket {
		b := newBucket(t)
		small := b.image("app", "small", "v1")
		before = b.all()
		link, malformed = at.LayerLink("app", small.layers[0].Digest), at.RevisionLink("app", small.manifest.Digest)
		b.remove(link)
		b.put(malformed, "malformed")
		return b
	}
	fault.EachPoint(t, newRegistry, func(b driver.Bucket) error {
		s, err := check.Run(t.Context(), b, check.Options{OlderThan: 1, Concurrency: 1, Digest: true, Repair: check.Repairable()})
		if err == nil && (s.Damaged != 2 || s.Repaired == 0) {
			return fmt.Errorf("wrong: %+v", s)
		}
		return err
	}, func(t *testing.T, inner driver.Bucket, _ fault.Point, err error) {
		if err != nil && !errors.Is(err, fault.ErrInjected) {
			t.Error(err)
		}
		after := bucket{inner.(bucket).Bucket, t}.all()
		for key, undo := range map[string]string{link: "", malformed: "malformed"} {
			if after[key] == undo {
				after[key] = before[key]
			}
		}
		wantSame(t, before, after)
	})
}

// TestCancelled returns when it is told to, and has found no damage.
func TestCancelled(t *testing.T) {
	b := newBucket(t)
	populate(b)
	for nth := 1; ; nth++ {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		counted := driver.Wrap(b.Bucket, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
			if n++; n == nth { // by one goroutine at a time
				cancel()
			}
			return next(ctx)
		})
		s, err := check.Run(ctx, counted, check.Options{OlderThan: 1, Concurrency: 1, Digest: true})
		cancel()
		if s.Damaged > 0 {
			t.Errorf("cancelled at call %d: %+v", nth, s)
		}
		if n < nth {
			if err != nil {
				t.Errorf("not cancelled: %v", err)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at call %d: %v", nth, err)
		}
	}
}

// TestRequests counts what a check costs: a registry without damage takes a
// request for each link and manifest, and two listings. The population has 58 links,
// 11 manifests of which one is in two repositories, and 20 other blobs that have links.
func TestRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		options check.Options
		want    string
	}{
		"links and manifests":  {check.Options{}, "list 2\nopen 69\n"},
		"contents":             {check.Options{Digest: true}, "list 4\nopen 89\n"},
		"one repository of it": {check.Options{Repositories: []string{"team/app"}}, "list 2\nopen 16\n"},
	} {
		b := newBucket(t)
		populate(b)
		var calls meter.Counter
		s, _ := run(t, meter.Wrap(b, calls.Observe), tt.options)
		if calls.String() != tt.want {
			t.Errorf("%s: %+v costs\n%swant\n%s", name, s, calls.String(), tt.want)
		}
	}
}

// TestRequestsWithMD5 is on a store that tells in its listing what links hold.
func TestRequestsWithMD5(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	var calls meter.Counter
	s, found := run(t, md5Tags{meter.Wrap(b, calls.Observe), b}, check.Options{})
	// Ten tags, the link that names a blob by another algorithm, 11 manifests.
	if want := "list 2\nopen 22\n"; calls.String() != want || s.Links != 58 || len(found) > 0 {
		t.Errorf("%+v costs\n%swant\n%s", s, calls.String(), want)
	}
	b.put(at.TagLink("team/app", "latest"), "") // which has an MD5 sum, too
	if s, _ := run(t, md5Tags{b, b}, check.Options{Repair: check.Repairable()}); s.Repaired != 1 {
		t.Errorf("%+v", s)
	}
	b.put(at.LayerLink("multi", p.arm.config.Digest), p.app.config.Digest.String()) // of the same size
	if _, found := run(t, md5Tags{b, b}, check.Options{}); len(found) != 1 || found[0].Kind != check.LinkMismatch {
		t.Errorf("found %+v", found)
	}
}

// md5Tags lists objects with ETags as S3's are.
type md5Tags struct {
	driver.Bucket
	content bucket
}

func (b md5Tags) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := b.Bucket.ListPage(ctx, q)
	for i, e := range page.Items {
		page.Items[i].ETag = fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(b.content.get(e.Key)))))
	}
	return page, err
}
