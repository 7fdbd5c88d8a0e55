package check_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/schema2"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
)

var at = layout.Layout{Root: layout.DefaultRoot}

// bucket is a registry's, to be written to without one.
type bucket struct {
	driver.Bucket
	t testing.TB
}

func newBucket(t testing.TB) bucket { return bucket{mem.New(), t} }

func (b bucket) put(key, text string) {
	b.t.Helper()
	_, err := b.Put(b.t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b bucket) remove(key string) {
	b.t.Helper()
	if _, err := b.Stat(b.t.Context(), key); err != nil {
		b.t.Fatalf("to be removed: %v", err)
	}
	if err := b.Delete(b.t.Context(), key, driver.DeleteOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// get is the object at key, "" when there is none.
func (b bucket) get(key string) string {
	b.t.Helper()
	rd, err := b.Open(b.t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if errors.Is(err, driver.NotFound) {
		return ""
	}
	if err != nil {
		b.t.Fatal(err)
	}
	defer rd.Close()
	p, err := io.ReadAll(rd)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(p)
}

// all is what is in the bucket, by key.
func (b bucket) all() map[string]string {
	b.t.Helper()
	all := make(map[string]string)
	for e, err := range driver.List(b.t.Context(), b.Bucket, driver.ListRequest{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		all[e.Key] = b.get(e.Key)
	}
	return all
}

// blob stores text as a blob of repo.
func (b bucket) blob(repo, mediaType, text string) v1.Descriptor {
	b.t.Helper()
	d := digest.FromString(text)
	b.put(at.Blob(d), text)
	b.put(at.LayerLink(repo, d), d.String())
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(text))}
}

// manifest stores a manifest, and tags it.
func (b bucket) manifest(repo, mediaType string, doc any, tags ...string) v1.Descriptor {
	b.t.Helper()
	p, err := json.Marshal(doc)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.rawManifest(repo, mediaType, p, tags...)
}

func (b bucket) rawManifest(repo, mediaType string, p []byte, tags ...string) v1.Descriptor {
	b.t.Helper()
	d := digest.FromBytes(p)
	b.put(at.Blob(d), string(p))
	b.put(at.RevisionLink(repo, d), d.String())
	for _, tag := range tags {
		b.put(at.TagIndexLink(repo, tag, d), d.String())
		b.put(at.TagLink(repo, tag), d.String())
	}
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(p))}
}

type object = map[string]any

// image is what an image consists of.
type image struct {
	manifest, config v1.Descriptor
	layers           []v1.Descriptor
}

// image stores an image of two layers, whose content begins with what.
func (b bucket) image(repo, what string, tags ...string) image {
	b.t.Helper()
	i := image{config: b.blob(repo, v1.MediaTypeImageConfig, what+" config")}
	for _, layer := range []string{" layer 1", " layer 2"} {
		i.layers = append(i.layers, b.blob(repo, v1.MediaTypeImageLayerGzip, what+layer))
	}
	i.manifest = b.manifest(repo, v1.MediaTypeImageManifest, object{
		"schemaVersion": 2, "mediaType": v1.MediaTypeImageManifest, "config": i.config, "layers": i.layers,
	}, tags...)
	return i
}

// index stores an image index.
func (b bucket) index(repo string, of []v1.Descriptor, tags ...string) v1.Descriptor {
	b.t.Helper()
	return b.manifest(repo, v1.MediaTypeImageIndex, object{
		"schemaVersion": 2, "mediaType": v1.MediaTypeImageIndex, "manifests": of,
	}, tags...)
}

// population is a registry without damage, that has all that could be taken for it.
type population struct {
	app, old, arm image
	index         v1.Descriptor
}

func populate(b bucket) population {
	b.t.Helper()
	p := population{app: b.image("team/app", "app", "v1", "latest"), old: b.image("team/app", "old"), arm: b.image("multi", "arm")}
	amd := b.image("multi", "amd")
	p.index = b.index("multi", []v1.Descriptor{amd.manifest, p.arm.manifest}, "latest")

	// A tag that moved on, and the manifest that it was before, deleted since.
	b.put(at.TagIndexLink("team/app", "v1", p.old.manifest.Digest), p.old.manifest.Digest.String())
	gone := digest.FromString("a manifest that was deleted")
	b.put(at.TagIndexLink("team/app", "v1", gone), gone.String())

	// Docker's formats, one of which names a layer that is elsewhere; and OCI's without
	// a media type, which has a subject that is not there.
	config := b.blob("docker", schema2.MediaTypeImageConfig, "docker config")
	layer := b.blob("docker", schema2.MediaTypeLayer, "docker layer")
	elsewhere := v1.Descriptor{MediaType: schema2.MediaTypeForeignLayer, Digest: digest.FromString("foreign"), Size: 7, URLs: []string{"https://example.com/layer"}}
	m := b.manifest("docker", schema2.MediaTypeManifest, object{
		"schemaVersion": 2, "mediaType": schema2.MediaTypeManifest, "config": config, "layers": []v1.Descriptor{layer, elsewhere},
	}, "v2")
	b.manifest("docker", manifestlist.MediaTypeManifestList, object{
		"schemaVersion": 2, "mediaType": manifestlist.MediaTypeManifestList, "manifests": []v1.Descriptor{m},
	}, "list")
	b.manifest("docker", v1.MediaTypeImageManifest, object{
		"schemaVersion": 2, "config": config, "layers": []v1.Descriptor{layer},
		"subject": v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("subject"), Size: 7},
	}, "referrer")

	// An index of layers, as caches of builds are; an empty layer; an image that two
	// repositories have.
	b.index("cache", []v1.Descriptor{b.blob("cache", v1.MediaTypeImageLayerGzip, "cached")}, "main")
	b.manifest("empty", v1.MediaTypeImageManifest, object{
		"schemaVersion": 2, "config": b.blob("empty", v1.MediaTypeImageConfig, "{}"),
		"layers": []v1.Descriptor{b.blob("empty", v1.MediaTypeImageLayer, "")},
	}, "v1")
	b.image("release/app", "app", "v1")

	// SHA-512, as blobdock stores it, and as distribution does: by a link to the
	// digest that it knows.
	own := digest.SHA512.FromString("own")
	b.put(at.Blob(own), "own")
	b.put(at.LayerLink("sha512", own), own.String())
	alias := digest.SHA512.FromString("alias")
	canonical := b.blob("sha512", v1.MediaTypeImageLayer, "alias").Digest
	b.put(at.LayerLink("sha512", alias), canonical.String())
	b.manifest("sha512", v1.MediaTypeImageManifest, object{
		"schemaVersion": 2, "config": b.blob("sha512", v1.MediaTypeImageConfig, "sha512 config"),
		"layers": []v1.Descriptor{{MediaType: v1.MediaTypeImageLayer, Digest: own, Size: 3}, {MediaType: v1.MediaTypeImageLayer, Digest: alias, Size: 5}},
	}, "v1")

	// An upload under way, and a session that is beside what it writes.
	b.put(at.Upload("team/app", "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11")+"/session", "state")
	b.put(at.Blobs()+"sha256/_session.data", "state")
	b.put(at.Upload("_unlinked", "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c12")+"/session", "state")
	return p
}

// run checks b, where nothing is too young to be judged.
func run(t testing.TB, b driver.Bucket, o check.Options) (check.Summary, []check.Finding) {
	t.Helper()
	var all []check.Finding
	if o.OlderThan == 0 {
		o.OlderThan = 1
	}
	o.OnFinding = func(f check.Finding) { all = append(all, f) }
	s, err := check.Run(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, sorted(all)
}

func sorted(all []check.Finding) []check.Finding {
	slices.SortFunc(all, func(x, y check.Finding) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Key, y.Key), cmp.Compare(x.Repository, y.Repository), cmp.Compare(x.Manifest, y.Manifest))
	})
	return all
}

// aging makes objects old whose keys have a part.
type aging struct {
	driver.Bucket
	part string
}

func (a aging) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := a.Bucket.ListPage(ctx, q)
	for i, e := range page.Items {
		if strings.Contains(e.Key, a.part) {
			page.Items[i].ModTime = e.ModTime.AddDate(0, 0, -2)
		}
	}
	return page, err
}

// gauge measures how many calls run at the same time.
type gauge struct{ now, peak atomic.Int64 }

func (g *gauge) wrap(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		n := g.now.Add(1)
		defer g.now.Add(-1)
		for p := g.peak.Load(); n > p && !g.peak.CompareAndSwap(p, n); p = g.peak.Load() {
		}
		return next(ctx)
	})
}

// ahead is a store that tells times rounded up to the second, as Swift does.
type ahead struct{ driver.Bucket }

func (a ahead) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := a.Bucket.ListPage(ctx, q)
	for i := range page.Items {
		page.Items[i].ModTime = page.Items[i].ModTime.Truncate(time.Second).Add(time.Second)
	}
	return page, err
}

// TestNothingIsYoung judges all that there is, on a store whose times are ahead.
func TestNothingIsYoung(t *testing.T) {
	b := newBucket(t)
	b.put(at.TagLink("team/app", "v1"), "no digest")
	_, want := run(t, b, check.Options{})
	_, got := run(t, ahead{b}, check.Options{})
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("found %v, want %v", got, want)
	}
}
