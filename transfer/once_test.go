package transfer_test

import (
	"context"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/transfer"
)

// unreadable is a bucket one of whose objects can't be read.
type unreadable struct {
	driver.Bucket
	key string
}

func (u unreadable) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if key == u.key {
		return nil, &driver.Error{Op: driver.OpOpen, Key: key, Kind: driver.Denied}
	}
	return u.Bucket.Open(ctx, key, r, o)
}

// TestEachFaultOnce breaks one thing, on which several tags depend, and counts the problems: one
// tells of the fault, and each tag that is not copied is named.
func TestEachFaultOnce(t *testing.T) {
	const repo = "team/app"
	for name, tt := range map[string]struct {
		kind  transfer.Kind
		spoil func(b driver.Bucket, img, layer v1.Descriptor) driver.Bucket
	}{
		"a layer with other content": {transfer.Corrupt, func(b driver.Bucket, _, layer v1.Descriptor) driver.Bucket {
			write(t, b, l.Blob(layer.Digest), make([]byte, layer.Size))
			return b
		}},
		"a layer without bytes": {transfer.Corrupt, func(b driver.Bucket, _, layer v1.Descriptor) driver.Bucket {
			write(t, b, l.Blob(layer.Digest), nil)
			return b
		}},
		"a layer that can't be read": {transfer.Failed, func(b driver.Bucket, _, layer v1.Descriptor) driver.Bucket {
			return unreadable{b, l.Blob(layer.Digest)}
		}},
		"a link to a layer without a digest": {transfer.Corrupt, func(b driver.Bucket, _, layer v1.Descriptor) driver.Bucket {
			write(t, b, l.LayerLink(repo, layer.Digest), []byte("x"))
			return b
		}},
		"a manifest with other content": {transfer.Corrupt, func(b driver.Bucket, img, _ v1.Descriptor) driver.Bucket {
			write(t, b, l.Blob(img.Digest), make([]byte, img.Size))
			return b
		}},
		"a manifest that can't be read": {transfer.Failed, func(b driver.Bucket, img, _ v1.Descriptor) driver.Bucket {
			return unreadable{b, l.Blob(img.Digest)}
		}},
		"a manifest that is gone": {transfer.Dangling, func(b driver.Bucket, img, _ v1.Descriptor) driver.Bucket {
			if err := b.Delete(t.Context(), l.Blob(img.Digest), driver.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			return b
		}},
		"a link to a manifest that can't be read": {transfer.Failed, func(b driver.Bucket, img, _ v1.Descriptor) driver.Bucket {
			return unreadable{b, l.RevisionLink(repo, img.Digest)}
		}},
	} {
		for mode, o := range map[string]transfer.Options{
			"registry": {}, "repository": {Repositories: []string{repo}}, "tags": {Repositories: []string{repo}, Tags: []string{"*"}},
		} {
			src := newBucket()
			p := &pushes{TB: t, bucket: src}
			layer := p.random(repo, 500)
			img := p.manifest(repo, v1.MediaTypeImageManifest, v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: p.random(repo, 10), Layers: []v1.Descriptor{layer}})
			p.tag(repo, "one", img.Digest)
			p.tag(repo, "two", img.Digest)
			p.tag(repo, "index", p.index(repo, img, p.image(repo, nil, 10)).Digest)
			_, problems, _ := copies(t, tt.spoil(src, img, layer), newBucket(), o)
			faults, leftOut := 0, make(map[string]bool)
			for _, p := range problems {
				switch p.Kind {
				case tt.kind:
					faults++
				case transfer.LeftOut:
					n, _ := l.Parse(p.Key)
					leftOut[n.Tag] = true
				default:
					t.Errorf("%s, %s: %s", name, mode, p.Kind)
				}
			}
			if faults != 1 || mode == "tags" && !leftOut["two"] && !leftOut["one"] {
				t.Errorf("%s, %s: told %d times, tags left out: %v\n%v", name, mode, faults, leftOut, problems)
			}
		}
	}
}

// TestMissingLayerOnce tells of an image that lacks a layer once, however many tags it has.
func TestMissingLayerOnce(t *testing.T) {
	src := newBucket()
	p := &pushes{TB: t, bucket: src}
	lost := v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: digest.FromString("lost"), Size: 4}
	img := p.manifest("app", v1.MediaTypeImageManifest, v1.Manifest{Config: p.random("app", 10), Layers: []v1.Descriptor{lost}})
	p.tag("app", "one", img.Digest)
	p.tag("app", "two", img.Digest)
	sum, problems, _ := copies(t, src, newBucket(), transfer.Options{Repositories: []string{"app"}, Tags: []string{"*"}})
	if sum.Incomplete != 1 || sum.LeftOut != 2 || len(problems) != 3 || problems[0].Key != l.RevisionLink("app", img.Digest) {
		t.Errorf("%+v\n%v", sum, problems)
	}
}
