package usage_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/usage"
)

func run(t testing.TB, b driver.Bucket, o usage.Options) usage.Report {
	t.Helper()
	r, err := usage.Run(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRecount holds reports to a recount of the keys, and to what check counts.
func TestRecount(t *testing.T) {
	var total usage.Report // shows that the registries have all that is counted
	for seed := range uint64(100) {
		b := random(t, rand.New(rand.NewPCG(seed, 0)))
		got, want := run(t, b, usage.Options{}), recountOf(b)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d (-recount +usage):\n%s", seed, diff)
		}
		s, err := check.Run(t.Context(), b, check.Options{OlderThan: 1})
		if err != nil {
			t.Fatal(err)
		}
		type overlap struct {
			Blobs, Orphans            usage.Count
			Repositories, BrokenLinks int64
		}
		counted := overlap{got.Blobs, got.Orphans, int64(len(got.Repositories)), got.MalformedLinks}
		checked := overlap{
			usage.Count{Objects: s.Blobs, Bytes: s.BlobBytes}, usage.Count{Objects: s.Orphans, Bytes: s.OrphanBytes},
			s.Repositories, s.Found[check.LinkMalformed],
		}
		if diff := cmp.Diff(checked, counted); diff != "" {
			t.Fatalf("seed %d (-check +usage):\n%s", seed, diff)
		}
		all := got.All()
		if all.Stored+got.Orphans.Bytes != got.Blobs.Bytes || all.Deduplicated() < 0 || got.Reclaimable.Old.Bytes+got.Reclaimable.Young.Bytes < got.Orphans.Bytes {
			t.Fatalf("seed %d: %+v, of %+v", seed, all, got)
		}
		total.Orphans.Bytes += got.Orphans.Bytes
		total.Untagged.Manifests += got.Untagged.Manifests
		total.Untagged.Only.Bytes += got.Untagged.Only.Bytes
		total.Reclaimable.Young.Bytes += got.Reclaimable.Young.Bytes
		total.Reclaimable.Old.Bytes += got.Reclaimable.Old.Bytes
		total.Uploads.Abandoned += got.Uploads.Abandoned
		total.MalformedManifests += got.MalformedManifests
		total.MalformedLinks += got.MalformedLinks
		for _, u := range got.Teams {
			total.Links.Bytes += u.Deduplicated()
			total.Others.Bytes += u.Shared()
		}
	}
	for what, n := range map[string]int64{
		"orphans": total.Orphans.Bytes, "untagged": total.Untagged.Manifests, "of untagged": total.Untagged.Only.Bytes, "young": total.Reclaimable.Young.Bytes,
		"reclaimable": total.Reclaimable.Old.Bytes, "abandoned": total.Uploads.Abandoned, "manifests": total.MalformedManifests, "links": total.MalformedLinks,
		"deduplicated": total.Links.Bytes, "shared": total.Others.Bytes,
	} {
		if n == 0 {
			t.Errorf("no registry has any: %s", what)
		}
	}
}

// TestShared has numbers that can be done by hand.
func TestShared(t *testing.T) {
	b := newBucket(t)
	base, ten := strings.Repeat("b", 1000), strings.Repeat("c", 10)
	m := b.image("team/app", []string{ten, base}, "v1").Size
	b.image("team/web", []string{ten, base}, "v1")
	b.image("other/app", []string{base, "own"}, "v1")
	r := run(t, b, usage.Options{})
	if err := r.Sort(usage.ByExclusive); err != nil {
		t.Fatal(err)
	}
	other := r.All().Logical - 2*(1010+m)
	want := []usage.Usage{
		{Name: "other", Repositories: 1, Manifests: 1, Tags: 1, Blobs: 3, Logical: other, Stored: other, Exclusive: other - 1000},
		{Name: "team", Repositories: 2, Manifests: 2, Tags: 2, Blobs: 3, Logical: 2 * (1010 + m), Stored: 1010 + m, Exclusive: 10 + m},
	}
	if want[0].Exclusive < want[1].Exclusive {
		want[0], want[1] = want[1], want[0]
	}
	if diff := cmp.Diff(want, r.Teams); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
	if err := r.Sort("size"); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), `order "size": want one of [exclusive`) {
		t.Errorf("order: %v", err)
	}
	for _, by := range usage.Orders() {
		if err := r.Sort(by); err != nil {
			t.Error(err)
		}
	}
	if r.Repositories[0].Name != "other/app" || r.Repositories[2].Name != "team/web" { // by name is the last
		t.Errorf("repositories %+v", r.Repositories)
	}
}

// TestRefused has nothing to count, or is told nonsense.
func TestRefused(t *testing.T) {
	b := newBucket(t)
	b.image("app", []string{"config"}, "v1")
	for _, o := range []usage.Options{{OlderThan: -1}, {UploadAge: -1}, {Concurrency: -1}} {
		if _, err := usage.Run(t.Context(), b, o); !errors.Is(err, driver.Invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := usage.Run(t.Context(), b, usage.Options{Root: "elsewhere"}); !errors.Is(err, usage.ErrNoRegistry) || !strings.Contains(err.Error(), "below elsewhere/") {
		t.Errorf("no registry: %v", err)
	}
}

// TestFaults tells of what can't be understood, once, and goes on.
func TestFaults(t *testing.T) {
	b := newBucket(t)
	good := b.image("good", []string{"config", "layer"}, "v1")
	bad := b.rawManifest("a", "no JSON", "v1")
	b.rawManifest("b", "no JSON")
	other := digest.FromString("other")
	b.put(at.Blob(other), "its content was replaced")
	b.put(at.RevisionLink("c", other), other.String())
	b.put(at.TagLink("good", "v2"), strings.Repeat("long", 1000))
	faults := make(map[string]usage.FaultKind)
	r := run(t, b, usage.Options{OnFault: func(f usage.Fault) {
		if f.Detail == "" || f.Repository == "" || faults[f.Key] != "" {
			t.Errorf("told of %+v", f)
		}
		faults[f.Key] = f.Kind
	}})
	want := map[string]usage.FaultKind{
		at.Blob(bad.Digest): usage.ManifestMalformed, at.Blob(other): usage.ManifestMalformed, at.TagLink("good", "v2"): usage.LinkMalformed,
	}
	if diff := cmp.Diff(want, faults); diff != "" || r.MalformedManifests != 2 || r.MalformedLinks != 1 {
		t.Errorf("%d manifests, %d links (-want +got):\n%s", r.MalformedManifests, r.MalformedLinks, diff)
	}
	if i := len(r.Repositories) - 1; r.Repositories[i].Logical != good.Size+int64(len("config")+len("layer")) || r.Reclaimable.Old.Objects != 0 {
		t.Errorf("counted %+v", r)
	}
}

// TestStoreFails has no report where a call fails, whichever does.
func TestStoreFails(t *testing.T) {
	b := newBucket(t)
	b.image("team/app", []string{"config", "layer"}, "v1")
	for _, rule := range []fault.Rule{
		{Op: driver.OpList, Nth: 1}, {Op: driver.OpList, Nth: 2}, {Op: driver.OpList, Nth: 3}, {Op: driver.OpOpen, Nth: 1}, {Op: driver.OpOpen, Nth: 2},
	} {
		rule.Err = driver.Denied
		r, err := usage.Run(t.Context(), fault.Wrap(b, fault.Script{rule}), usage.Options{})
		if !errors.Is(err, driver.Denied) || r.Blobs.Objects != 0 {
			t.Errorf("%+v: %+v, %v", rule, r, err)
		}
	}
	settings := driver.WithFeatures(b, func(f *driver.Features) {
		f.Settings = func(context.Context) ([]driver.BucketSetting, error) { return nil, driver.Unavailable }
	})
	if _, err := usage.Run(t.Context(), settings, usage.Options{}); !errors.Is(err, driver.Unavailable) {
		t.Errorf("settings: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := usage.Run(ctx, b, usage.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNoncurrent tells that the bucket keeps what is not counted.
func TestNoncurrent(t *testing.T) {
	b := newBucket(t)
	b.image("app", []string{"config"}, "v1")
	on := driver.BucketSetting{Name: driver.ObjectVersioning, Value: "on", Advice: "expire them"}
	b.Bucket = driver.WithFeatures(b.Bucket, func(f *driver.Features) {
		f.Settings = func(context.Context) ([]driver.BucketSetting, error) {
			return []driver.BucketSetting{on, {Name: driver.SoftDelete, Value: "off"}, {Name: "location", Value: "EU", Advice: "far"}, {Name: driver.BlobVersioning, Grant: "may-read"}}, nil
		}
	})
	if diff := cmp.Diff([]driver.BucketSetting{on}, run(t, b, usage.Options{}).Noncurrent); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAges has a blob that nobody names, and an upload, on either side of the limit.
func TestAges(t *testing.T) {
	b := newBucket(t)
	b.image("app", []string{"config"}, "v1")
	b.ages[at.Blob(b.content("orphan"))] = time.Hour
	b.upload(at.Uploads()+"0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11-00", 100*time.Hour, 90*time.Hour)
	for _, tt := range []struct {
		o              usage.Options
		young, old, up int64
	}{
		{usage.Options{}, 1, 0, 0},
		{usage.Options{OlderThan: 30 * time.Minute, UploadAge: 91 * time.Hour}, 0, 1, 0},
		{usage.Options{OlderThan: 90 * time.Minute, UploadAge: 89 * time.Hour}, 1, 0, 1},
		{usage.Options{OlderThan: 1}, 0, 1, 0},
	} {
		r := run(t, b, tt.o)
		if r.Reclaimable.Young.Objects != tt.young || r.Reclaimable.Old.Objects != tt.old || r.Uploads.Abandoned != tt.up || r.Uploads.All != 1 {
			t.Errorf("%+v: %+v, %+v", tt.o, r.Reclaimable, r.Uploads)
		}
	}
	late := driver.WithFeatures(b, func(f *driver.Features) { f.Now = func() time.Time { return time.Now().Add(1000 * time.Hour) } })
	if r := run(t, late, usage.Options{}); r.Reclaimable.Old.Objects != 1 || r.Uploads.Abandoned != 1 {
		t.Errorf("by the store's clock: %+v, %+v", r.Reclaimable, r.Uploads)
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

// TestRequests is a bound on what a run costs: the listings, and a read for each manifest and
// each tag; of tags none on S3, but for those that the repository has no manifest for.
func TestRequests(t *testing.T) {
	b := newBucket(t)
	for i := range 40 { // two layer links, a revision, a tag and its history each
		b.image(fmt.Sprintf("team/app%d", i), []string{"config", "layer"}, "v1")
	}
	b.image("team/app0", []string{"config", "another layer"})
	for i := range 2000 {
		b.blob("many", fmt.Sprintf("blob %d", i))
	}
	b.tag("team/app0", "elsewhere", digest.FromString("no manifest"))
	b.put(at.LayerLink("team/app0", digest.SHA512.FromString("config")), digest.FromString("config").String())
	// Blobs are 2,005; keys of repositories 2,206; uploads none. Manifests are two, and one that
	// is not there; tags are 41; a link is by another algorithm.
	for name, tt := range map[string]struct {
		wrap func(driver.Bucket) driver.Bucket
		want string
	}{
		"any store": {func(m driver.Bucket) driver.Bucket { return m }, "list 7\nopen 44\nopen (not found) 1\n"},
		"S3":        {func(m driver.Bucket) driver.Bucket { return md5Tags{m, b} }, "list 7\nopen 4\nopen (not found) 1\n"},
	} {
		var calls meter.Counter
		r := run(t, tt.wrap(meter.Wrap(b, calls.Observe)), usage.Options{})
		if calls.String() != tt.want {
			t.Errorf("%s: %+v costs\n%swant\n%s", name, r.All(), calls.String(), tt.want)
		}
	}
}

// TestProgress tells of each phase, ever more of it.
func TestProgress(t *testing.T) {
	b := newBucket(t)
	b.image("app", []string{"config", "layer"}, "v1")
	b.upload(at.Uploads()+"0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11-00", time.Hour)
	last := make(map[usage.Phase]int64)
	run(t, b, usage.Options{Progress: func(p usage.Progress) {
		if p.Done != last[p.Phase]+1 {
			t.Errorf("%+v after %d", p, last[p.Phase])
		}
		last[p.Phase] = p.Done
	}})
	if diff := cmp.Diff(map[usage.Phase]int64{usage.Blobs: 3, usage.Repositories: 5, usage.Unfinished: 1}, last); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
