package integration_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// eachWay runs a test on registries that redirect pulls to the store, and that
// stream them, on every store.
func eachWay(t *testing.T, test func(t *testing.T, base string)) {
	t.Helper()
	eachWayOn(t, func(t *testing.T, _ cloud, base string) { test(t, base) })
}

// eachWayOn is eachWay, which also tells the store.
func eachWayOn(t *testing.T, test func(t *testing.T, c cloud, base string)) {
	t.Helper()
	onEach(t, func(t *testing.T, c cloud) {
		for _, redirect := range []string{"on", "off"} {
			t.Run("redirect_"+redirect, func(t *testing.T) {
				storage := inParts(t, c, c.newBucket(t))
				storage["blobdock"]["redirect"] = redirect == "on"
				test(t, c, serve(t, storage).URL)
			})
		}
	})
}

// reference parses repo, which has a tag or a digest, at a registry.
func reference(t testing.TB, base, repo string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(base, "http://") + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func randomImage(t testing.TB, size, layers int64) v1.Image {
	t.Helper()
	img, err := random.Image(size, layers)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func hashOf(t testing.TB, d interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// writeImage pushes img, and readImage pulls one and checks every byte of it.
func writeImage(t testing.TB, base, repo string, img v1.Image) {
	t.Helper()
	if err := remote.Write(reference(t, base, repo), img, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("push %s: %v", repo, err)
	}
}

func readImage(t testing.TB, base, repo string, want v1.Hash) {
	t.Helper()
	img, err := remote.Image(reference(t, base, repo), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("pull %s: %v", repo, err)
	}
	if err := validate.Image(img); err != nil {
		t.Fatalf("pull %s: %v", repo, err)
	}
	if got := hashOf(t, img); got != want {
		t.Errorf("pull %s: digest %v, want %v", repo, got, want)
	}
}

func TestCrane(t *testing.T) { eachWay(t, crane) }

func crane(t *testing.T, base string) {
	t.Helper()
	img := randomImage(t, 300*kib, 3)
	writeImage(t, base, "crane/image:one", img)
	readImage(t, base, "crane/image:one", hashOf(t, img))

	large := randomImage(t, 7*mib, 1)
	writeImage(t, base, "crane/large:one", large)
	readImage(t, base, "crane/large:one", hashOf(t, large))

	index, err := random.Index(10*kib, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	ref := reference(t, base, "crane/index:one")
	if err := remote.WriteIndex(ref, index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(pulled); err != nil {
		t.Error(err)
	}
	if got, want := hashOf(t, pulled), hashOf(t, index); got != want {
		t.Errorf("index %v, want %v", got, want)
	}

	wantNames(t, base, "crane/image", []string{"one"}, []string{"crane/image", "crane/index", "crane/large"})
	mounts(t, base)
	deletes(t, base, img)
}

// wantNames compares the tags of a repository and the catalog.
func wantNames(t *testing.T, base, repo string, tags, repos []string) {
	t.Helper()
	ref := reference(t, base, repo)
	got, err := remote.List(ref.Context(), remote.WithContext(t.Context()))
	if slices.Sort(got); err != nil || !slices.Equal(got, tags) {
		t.Errorf("tags of %s: %v (%v), want %v", repo, got, err, tags)
	}
	got, err = remote.Catalog(t.Context(), ref.Context().Registry)
	if slices.Sort(got); err != nil || !slices.Equal(got, repos) {
		t.Errorf("catalog: %v (%v), want %v", got, err, repos)
	}
}

// mounts pushes an image whose layers another repository has.
func mounts(t *testing.T, base string) {
	t.Helper()
	src := reference(t, base, "crane/image:one")
	img, err := remote.Image(src, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		h := hashOf(t, layer)
		at := base + "/v2/crane/mounted/blobs/uploads/?mount=" + h.String() + "&from=crane/image"
		do(t, http.MethodPost, at, nil, nil).want(t, http.StatusCreated)
	}
	writeImage(t, base, "crane/mounted:one", img)
	readImage(t, base, "crane/mounted:one", hashOf(t, img))
	absent := base + "/v2/crane/mounted/blobs/uploads/?mount=" + content{100, 1}.digest().String() + "&from=crane/image"
	do(t, http.MethodPost, absent, nil, nil).want(t, http.StatusAccepted)
}

// deletes removes a manifest and a blob.
func deletes(t *testing.T, base string, img v1.Image) {
	t.Helper()
	h := hashOf(t, img)
	byDigest := reference(t, base, "crane/image@"+h.String())
	if err := remote.Delete(byDigest, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("delete: %v", err)
	}
	_, err := remote.Get(byDigest, remote.WithContext(t.Context()))
	if te := (*transport.Error)(nil); !errors.As(err, &te) || te.StatusCode != http.StatusNotFound {
		t.Errorf("deleted manifest: %v, want 404", err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	at := base + "/v2/crane/image/blobs/" + hashOf(t, layers[0]).String()
	do(t, http.MethodHead, at, nil, nil).want(t, http.StatusOK)
	do(t, http.MethodDelete, at, nil, nil).want(t, http.StatusAccepted)
	do(t, http.MethodHead, at, nil, nil).want(t, http.StatusNotFound)
	// The other repository has it still.
	readImage(t, base, "crane/mounted:one", h)
}
