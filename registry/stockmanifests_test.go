package registry_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/gc"
)

// stock is distribution's own storage of repository "a" in b.
func stock(t *testing.T, b driver.Bucket) (distribution.Namespace, distribution.Repository) {
	t.Helper()
	ns, err := storage.NewRegistry(t.Context(), newDriver(t, b), storage.EnableDelete)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := reference.WithName("a")
	repo, err := ns.Repository(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return ns, repo
}

// collect runs distribution's garbage collection on b.
func collect(t *testing.T, b driver.Bucket, untagged bool) error {
	t.Helper()
	d := newDriver(t, b)
	ns, err := storage.NewRegistry(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return storage.MarkAndSweep(context.WithoutCancel(t.Context()), d, ns, storage.GCOpts{RemoveUntagged: untagged, Quiet: true})
}

// TestStockReadsOurs has distribution's own code read, move and delete what was pushed here.
func TestStockReadsOurs(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	one, two := c.image(digest.SHA256, nil), c.image(digest.SHA512, nil)
	list := index(t, digest.SHA256, nil, one)
	signature := c.artifact(typeA, &one.desc)
	c.push("v1", one)
	c.push("v1-rc", list)
	c.push(two.desc.Digest.String()+"?tag=long", two)
	c.push(signature.desc.Digest.String(), signature)
	_, repo := stock(t, b)
	tags := repo.Tags(t.Context())
	all, err := tags.All(t.Context())
	if want := []string{"long", "v1", "v1-rc"}; err != nil || !slices.Equal(all, want) {
		t.Errorf("tags %v, %v, want %v", all, err, want)
	}
	m, err := repo.Manifests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]pushed{"v1": one, "v1-rc": list, "long": two} {
		d, err := tags.Get(t.Context(), tag)
		if err != nil || d.Digest != want.desc.Digest {
			t.Errorf("%s is %s, %v", tag, d.Digest, err)
		}
		got, err := m.Get(t.Context(), want.desc.Digest)
		if err != nil {
			t.Errorf("%s: %v", tag, err)
			continue
		}
		if _, p, _ := got.Payload(); !bytes.Equal(p, want.content) {
			t.Errorf("%s is %s", tag, p)
		}
		if found, err := tags.Lookup(t.Context(), want.desc); err != nil || !slices.Equal(found, []string{tag}) {
			t.Errorf("tags of %s: %v, %v", want.desc.Digest, found, err)
		}
	}
	history, err := tags.(distribution.TagManifestsProvider).ManifestDigests(t.Context(), "v1")
	if err != nil || !slices.Equal(history, []digest.Digest{one.desc.Digest}) {
		t.Errorf("history %v, %v", history, err)
	}
	if err := tags.Tag(t.Context(), "v1", list.desc); err != nil {
		t.Fatal(err)
	}
	if err := tags.Untag(t.Context(), "v1-rc"); err != nil {
		t.Fatal(err)
	}
	if err := m.Delete(t.Context(), one.desc.Digest); err != nil {
		t.Fatal(err)
	}
	c = clientOf(t, serve(t, b), "a")
	c.has("v1", list)
	c.lacks("v1-rc")
	c.lacks(one.desc.Digest.String())
	c.refer(one.desc.Digest, "", signature)
}

// TestOursReadStock is the other way round.
func TestOursReadStock(t *testing.T) {
	b := mem.New()
	_, repo := stock(t, b)
	blobs := clientOf(t, serve(t, b), "a")
	one, two := blobs.image(digest.SHA256, nil), blobs.image(digest.SHA256, nil)
	list := index(t, digest.SHA256, nil, one, two)
	ms, err := repo.Manifests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for tag, m := range map[string]pushed{"v1": one, "v1-rc": two} {
		put(t, ms, m)
		if err := repo.Tags(t.Context()).Tag(t.Context(), tag, m.desc); err != nil {
			t.Fatal(err)
		}
	}
	put(t, ms, list)
	if err := repo.Tags(t.Context()).Tag(t.Context(), "v1", list.desc); err != nil {
		t.Fatal(err)
	}
	c := clientOf(t, serve(t, b), "a")
	c.has("v1", list)
	c.has("v1-rc", two)
	c.has(one.desc.Digest.String(), one)
	if got := c.tags(""); !slices.Equal(got, []string{"v1", "v1-rc"}) {
		t.Errorf("tags %v", got)
	}
	c.remove(list.desc.Digest.String())
	c.remove("v1-rc")
	all, err := repo.Tags(t.Context()).All(t.Context())
	if err != nil && !errors.As(err, new(distribution.ErrRepositoryUnknown)) || len(all) > 0 {
		t.Errorf("tags %v, %v", all, err)
	}
	if there, err := ms.Exists(t.Context(), list.desc.Digest); there || err != nil {
		t.Errorf("the list: %t, %v", there, err)
	}
	if there, err := ms.Exists(t.Context(), two.desc.Digest); !there || err != nil {
		t.Errorf("the untagged: %t, %v", there, err)
	}
}

func put(t *testing.T, ms distribution.ManifestService, p pushed) {
	t.Helper()
	m, _, err := distribution.UnmarshalManifest(p.desc.MediaType, p.content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ms.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// TestStockCollects runs distribution's garbage collection. It keeps what is used, referrers and
// manifests by sha512 among them, and removes what is not.
func TestStockCollects(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	tagged, untagged, long := c.image(digest.SHA256, nil), c.image(digest.SHA256, nil), c.image(digest.SHA512, nil)
	signature := c.artifact(typeA, &tagged.desc)
	cached := index(t, digest.SHA256, func(m *v1.Index) {
		m.Manifests = []v1.Descriptor{c.blob(v1.MediaTypeImageLayer, digest.SHA256, []byte("cached"))}
	})
	c.push("v1", tagged)
	c.push("v1", untagged)
	c.push("v1", tagged)
	c.push(long.desc.Digest.String()+"?tag=long", long)
	c.push("signature", signature)
	c.push("cache", cached)
	unused := c.blob(v1.MediaTypeImageLayer, digest.SHA256, []byte("unused"))
	if err := collect(t, b, false); err != nil {
		t.Fatal(err)
	}
	c = clientOf(t, serve(t, b), "a")
	for ref, m := range map[string]pushed{"v1": tagged, untagged.desc.Digest.String(): untagged, "long": long, "signature": signature, "cache": cached} {
		c.has(ref, m)
	}
	c.refer(tagged.desc.Digest, "", signature)
	if _, err := b.Stat(t.Context(), blobKey(unused.Digest)); !errors.Is(err, driver.NotFound) {
		t.Errorf("an unused blob: %v", err)
	}
	if _, err := b.Stat(t.Context(), blobKey(long.desc.Digest)); err != nil {
		t.Errorf("a blob by sha512: %v", err)
	}
	if err := collect(t, b, true); err != nil {
		t.Fatal(err)
	}
	c = clientOf(t, serve(t, b), "a")
	for ref, m := range map[string]pushed{"v1": tagged, "long": long, "signature": signature, "cache": cached} {
		c.has(ref, m)
	}
	c.lacks(untagged.desc.Digest.String())
	c.refer(tagged.desc.Digest, "", signature)
}

func blobKey(d digest.Digest) string {
	return "docker/registry/v2/blobs/" + d.Algorithm().String() + "/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
}

// TestStockRemovesRepository leaves nothing of it.
func TestStockRemovesRepository(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	subject := c.image(digest.SHA256, nil)
	m := c.artifact(typeA, &subject.desc)
	c.push("v1", m)
	ns, repo := stock(t, b)
	if err := ns.(distribution.RepositoryRemover).Remove(t.Context(), repo.Named()); err != nil {
		t.Fatal(err)
	}
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: "docker/registry/v2/repositories/"}) {
		t.Errorf("left: %s, %v", e.Key, err)
	}
}

// TestCollect keeps what distribution's own collection stops at, or takes for untagged: manifests
// of other types and their blobs, and referrers whose subject is there.
func TestCollect(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	subject, untagged := c.image(digest.SHA256, nil), c.image(digest.SHA256, nil)
	signature := c.artifact(typeA, &subject.desc)
	second := c.artifact(typeA, &signature.desc)
	lost := c.artifact(typeA, &v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("nowhere"), Size: 1})
	blob := c.blob("application/octet-stream", digest.SHA256, []byte("of an artifact"))
	odd := manifestOf(t, "application/vnd.oci.artifact.manifest.v1+json", digest.SHA256, map[string]any{
		"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []v1.Descriptor{blob},
	})
	unused := c.blob("application/octet-stream", digest.SHA256, []byte("unused"))
	c.push("v1", subject)
	c.push("odd", odd)
	for _, m := range []pushed{untagged, signature, second, lost} {
		c.push(m.desc.Digest.String(), m)
	}
	gone := c.image(digest.SHA256, nil) // by a crash
	c.push(gone.desc.Digest.String(), gone)
	if err := b.Delete(t.Context(), blobKey(gone.desc.Digest), driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := gc.Run(t.Context(), b, gc.Options{Untagged: true, Offline: true}); err != nil {
		t.Fatal(err)
	}
	c = clientOf(t, serve(t, b), "a")
	c.has("v1", subject)
	c.has("odd", odd)
	c.refer(subject.desc.Digest, "", signature)
	c.refer(signature.desc.Digest, "", second)
	c.lacks(untagged.desc.Digest.String())
	c.has(lost.desc.Digest.String(), lost) // its subject may come
	for d, want := range map[digest.Digest]bool{blob.Digest: true, unused.Digest: false, untagged.desc.Digest: false} {
		if _, err := b.Stat(t.Context(), blobKey(d)); (err == nil) != want {
			t.Errorf("blob %s: %v, want it there %t", d, err, want)
		}
	}
}
