package usage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
)

var at = layout.Layout{Root: layout.DefaultRoot}

// bucket is a registry's, to be written to without one. What it lists is two days old, unless
// ages has another age.
type bucket struct {
	driver.Bucket
	t    testing.TB
	ages map[string]time.Duration
}

func newBucket(t testing.TB) bucket {
	return bucket{mem.New(), t, make(map[string]time.Duration)}
}

func (b bucket) age(key string) time.Duration {
	if age, ok := b.ages[key]; ok {
		return age
	}
	return 48 * time.Hour
}

func (b bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	page, err := b.Bucket.ListPage(ctx, q)
	for i, e := range page.Items {
		page.Items[i].ModTime = e.ModTime.Add(-b.age(e.Key))
	}
	return page, err
}

func (b bucket) put(key, text string) {
	b.t.Helper()
	_, err := b.Put(b.t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
}

// get is the object at key.
func (b bucket) get(key string) string {
	b.t.Helper()
	rd, err := b.Open(b.t.Context(), key, driver.Range{}, driver.ReadOptions{})
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

// content stores text under its digest.
func (b bucket) content(text string) digest.Digest {
	d := digest.FromString(text)
	b.put(at.Blob(d), text)
	return d
}

// blob stores text as a blob of repo.
func (b bucket) blob(repo, text string) v1.Descriptor {
	d := b.content(text)
	b.put(at.LayerLink(repo, d), d.String())
	return v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: d, Size: int64(len(text))}
}

type object = map[string]any

// manifest stores a manifest, and tags it.
func (b bucket) manifest(repo string, doc object, tags ...string) v1.Descriptor {
	b.t.Helper()
	doc["schemaVersion"] = 2
	p, err := json.Marshal(doc)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.rawManifest(repo, string(p), tags...)
}

func (b bucket) rawManifest(repo, text string, tags ...string) v1.Descriptor {
	d := b.content(text)
	b.put(at.RevisionLink(repo, d), d.String())
	for _, tag := range tags {
		b.tag(repo, tag, d)
	}
	return v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: d, Size: int64(len(text))}
}

func (b bucket) tag(repo, tag string, d digest.Digest) {
	b.put(at.TagIndexLink(repo, tag, d), d.String())
	b.put(at.TagLink(repo, tag), d.String())
}

// image stores a manifest with a config and layers of these contents.
func (b bucket) image(repo string, contents []string, tags ...string) v1.Descriptor {
	doc := object{"mediaType": v1.MediaTypeImageManifest, "config": b.blob(repo, contents[0])}
	layers := []v1.Descriptor{}
	for _, text := range contents[1:] {
		layers = append(layers, b.blob(repo, text))
	}
	doc["layers"] = layers
	return b.manifest(repo, doc, tags...)
}

// upload stores objects of an upload below folder.
func (b bucket) upload(folder string, ages ...time.Duration) {
	for i, age := range ages {
		key := fmt.Sprintf("%s/p/%d", folder, i)
		b.put(key, strings.Repeat("u", 10+i))
		b.ages[key] = age
	}
}

var repositories = []string{"team", "team/app", "team/app/below", "team-a/app", "team.b/app", "other/app", "other/web", "single"}

// random stores a registry, with all that registries have.
func random(t testing.TB, rng *rand.Rand) bucket {
	b := newBucket(t)
	texts := make([]string, 12)
	for i := range texts {
		texts[i] = fmt.Sprintf("text %d %s", i, strings.Repeat("x", rng.IntN(200)))
	}
	some := func() []string {
		var list []string
		for range 1 + rng.IntN(4) {
			list = append(list, texts[rng.IntN(len(texts))])
		}
		return list
	}
	tags := func() []string { return []string{"v1", "v2", "v3"}[:rng.IntN(3)] }
	for _, repo := range repositories[:1+rng.IntN(len(repositories))] {
		var revisions []v1.Descriptor
		pick := func() v1.Descriptor { return revisions[rng.IntN(len(revisions))] }
		for range 1 + rng.IntN(4) {
			revisions = append(revisions, b.image(repo, some(), tags()...))
		}
		for range rng.IntN(8) {
			switch rng.IntN(10) {
			case 0: // an index, of a manifest that is not there as well
				absent := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("absent"), Size: 6}
				revisions = append(revisions, b.manifest(repo, object{"mediaType": v1.MediaTypeImageIndex, "manifests": []v1.Descriptor{pick(), absent}}, tags()...))
			case 1: // a cache of builds
				revisions = append(revisions, b.manifest(repo, object{"mediaType": v1.MediaTypeImageIndex, "manifests": []v1.Descriptor{b.blob(repo, texts[0])}}, tags()...))
			case 2: // a referrer
				subject := pick()
				if rng.IntN(3) == 0 {
					subject.Digest = digest.FromString("deleted")
				}
				revisions = append(revisions, b.manifest(repo, object{
					"mediaType": v1.MediaTypeImageManifest, "config": b.blob(repo, "{}"), "layers": []v1.Descriptor{b.blob(repo, "signature "+repo)}, "subject": subject,
				}))
				b.put(at.Referrer(repo, subject.Digest, pick().Digest), pick().Digest.String())
			case 3: // of an image that was deleted
				b.blob(repo, fmt.Sprintf("left %d", rng.IntN(5)))
			case 4: // sha512 as distribution links it
				text := fmt.Sprintf("alias %d", rng.IntN(3))
				alias := digest.SHA512.FromString(text)
				b.put(at.LayerLink(repo, alias), b.blob(repo, text).Digest.String())
				if rng.IntN(2) == 0 {
					b.manifest(repo, object{"mediaType": v1.MediaTypeImageManifest, "config": b.blob(repo, "{}"), "layers": []v1.Descriptor{{MediaType: v1.MediaTypeImageLayer, Digest: alias, Size: int64(len(text))}}}, tags()...)
				}
			case 5: // sha512 as blobdock does
				text := fmt.Sprintf("own %d", rng.IntN(3))
				own := digest.SHA512.FromString(text)
				b.put(at.Blob(own), text)
				b.put(at.LayerLink(repo, own), own.String())
			case 6: // a tag of a manifest that the repository lacks
				b.tag(repo, "dangling", digest.FromString("absent"))
			case 7:
				revisions = append(revisions, b.rawManifest(repo, "no JSON "+repo, tags()...))
				b.put(at.TagLink(repo, "broken"), "no digest")
			case 8: // layers that have a tarsum, and that had one until they were deleted
				b.put(at.TarSumLink(repo, "v1/sha256/aa"), b.blob(repo, fmt.Sprintf("left %d", rng.IntN(5))).Digest.String())
				b.put(at.TarSumLink(repo, "v1/sha256/bb"), digest.FromString(fmt.Sprintf("left %d", rng.IntN(5))).String())
			case 9:
				text := fmt.Sprintf("alias %d", rng.IntN(3))
				b.put(at.LayerLink(repo, digest.SHA512.FromString(text)), b.blob(repo, text).Digest.String())
				b.put(at.TarSumLink(repo, "v0/sha256/aa"), digest.SHA512.FromString(text).String())
				if rng.IntN(4) == 0 {
					b.put(at.TarSumLink(repo, "v0/sha256/bb"), "no digest")
				}
			}
		}
		if rng.IntN(3) == 0 {
			b.upload(at.Upload(repo, "0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11"), time.Duration(rng.IntN(300))*time.Hour, time.Duration(rng.IntN(300))*time.Hour)
		}
	}
	for i := range rng.IntN(6) {
		d := b.content(fmt.Sprintf("orphan %d", i))
		b.ages[at.Blob(d)] = time.Duration(1+rng.IntN(47)) * time.Hour
	}
	for i := range rng.IntN(4) {
		b.upload(fmt.Sprintf("%s0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c1%d-00", at.Uploads(), i), time.Duration(rng.IntN(300))*time.Hour, time.Duration(rng.IntN(300))*time.Hour)
	}
	b.put(at.Blobs()+"sha256/_session.data", "state")
	b.put(at.Repository("team")+"notes", "kept by somebody")
	return b
}
