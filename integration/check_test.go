package integration_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// line is what "blobdock check --json" prints.
type line struct {
	Kind, Key                  string
	Damage, Repaired, Complete bool
}

// checked runs the program on a bucket and returns what it found, by kind, and the
// keys of it.
func checked(t *testing.T, c cloud, bucket string, code int, more ...string) map[string][]string {
	t.Helper()
	args := append([]string{"check", "--json", "--older-than", "0s", c.bare(bucket)}, more...)
	p := launch(t, c.env(t), args...)
	if got := p.code(t, time.Minute); got != code {
		t.Fatalf("%q: exit code %d, want %d\n%s%s", args, got, code, p.stdout.String(), p.stderr.String())
	}
	found := make(map[string][]string)
	var last line
	for s := bufio.NewScanner(strings.NewReader(p.stdout.String())); s.Scan(); {
		last = line{}
		if err := json.Unmarshal(s.Bytes(), &last); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		if last.Kind == "summary" {
			break
		}
		if want := slices.Contains(more, "--repair"); last.Damage && last.Repaired != want && code == 0 {
			t.Errorf("%+v: repaired %v, want %v", last, last.Repaired, want)
		}
		found[last.Kind] = append(found[last.Kind], last.Key)
	}
	if last.Kind != "summary" || !last.Complete {
		t.Errorf("ends with %+v", last)
	}
	for _, keys := range found {
		slices.Sort(keys)
	}
	return found
}

func wantFound(t *testing.T, what string, got, want map[string][]string) {
	t.Helper()
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("%s: found %q, want %q", what, got, want)
	}
}

// TestCheck damages a registry, has it repaired, and pulls what was damaged.
func TestCheck(t *testing.T) {
	onEach(t, checks)
}

func checks(t *testing.T, c cloud) {
	bucket := c.newBucket(t)
	b := bareBucket{edit(t, c, bucket), layout.Layout{Root: layout.DefaultRoot}}
	base := serve(t, inParts(t, c, bucket)).URL
	images := map[string]v1.Image{"check/one:v1": randomImage(t, 10*kib, 2), "check/two:v1": randomImage(t, 100*kib, 1), "check/lost:v1": randomImage(t, 10*kib, 2)}
	for ref, img := range images {
		writeImage(t, base, ref, img)
	}
	index, err := random.Index(10*kib, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, base, "check/index:v1"), index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	wantFound(t, "nothing wrong", checked(t, c, bucket, 0, "--digest"), map[string][]string{})

	repairable := b.unlink(t, images["check/one:v1"], images["check/two:v1"], index)
	wantFound(t, "to be repaired", checked(t, c, bucket, 1), repairable)
	wantFound(t, "repaired", checked(t, c, bucket, 0, "--repair"), repairable)
	wantFound(t, "was repaired", checked(t, c, bucket, 0, "--digest"), map[string][]string{})

	base = serve(t, inParts(t, c, bucket)).URL // one that has nothing in its caches
	for ref, img := range images {
		readImage(t, base, ref, hashOf(t, img))
	}
	got, err := remote.Index(reference(t, base, "check/index:v1"), remote.WithContext(t.Context()))
	if err != nil || hashOf(t, got) != hashOf(t, index) {
		t.Errorf("index: %v", err)
	}
	layers, err := images["check/lost:v1"].Layers()
	if err != nil {
		t.Fatal(err)
	}
	corrupt, gone := b.layout.Blob(digestOf(t, layers[0])), b.layout.Blob(digestOf(t, layers[1]))
	b.put(t, corrupt, bytes.Repeat([]byte{1}, 10<<10))
	b.remove(t, gone)
	lost := map[string][]string{"reference-broken": {gone}, "reference-size": {corrupt}}
	wantFound(t, "lost", checked(t, c, bucket, 1, "--repair"), lost)
	lost = map[string][]string{"reference-broken": {corrupt, gone}, "blob-digest": {corrupt}}
	slices.Sort(lost["reference-broken"])
	wantFound(t, "lost, by the content", checked(t, c, bucket, 1, "--repair", "--digest"), lost)

	// What can't be repaired is pushed again, and garbage collection removes
	// nothing of it.
	b.remove(t, corrupt)
	base = serve(t, inParts(t, c, bucket)).URL
	for _, layer := range layers {
		if err := remote.WriteLayer(reference(t, base, "check/lost:v1").Context(), layer, remote.WithContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	wantFound(t, "pushed again", checked(t, c, bucket, 0, "--digest"), map[string][]string{})
	// What uploads leave is removed a little later.
	kept := func() []string {
		return slices.DeleteFunc(keys(t, b), func(key string) bool { return strings.Contains(key, "/_uploads/") })
	}
	before := kept()
	collect(t, on(t, c, bucket))
	if diff := cmp.Diff(before, kept()); diff != "" {
		t.Errorf("garbage collection of what is in use (-before +after):\n%s", diff)
	}
	for ref, img := range images {
		readImage(t, base, ref, hashOf(t, img))
	}
}

// bareBucket is a registry's bucket, to be damaged.
type bareBucket struct {
	driver.Bucket
	layout layout.Layout
}

func digestOf(t *testing.T, d interface{ Digest() (v1.Hash, error) }) digest.Digest {
	t.Helper()
	return digest.Digest(hashOf(t, d).String())
}

func (b bareBucket) put(t *testing.T, key string, p []byte) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (b bareBucket) remove(t *testing.T, key string) {
	t.Helper()
	if _, err := b.Stat(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), key, driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// unlink damages links in all ways that can be repaired, and returns what is to be
// found.
func (b bareBucket) unlink(t *testing.T, one, two v1.Image, index v1.ImageIndex) map[string][]string {
	t.Helper()
	l := b.layout
	layers, err := one.Layers()
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	child := func(i int) digest.Digest { return digest.Digest(m.Manifests[i].Digest.String()) }

	layer, manifest := l.LayerLink("check/one", digestOf(t, layers[0])), l.RevisionLink("check/index", child(0))
	b.remove(t, layer)
	b.remove(t, manifest)
	b.remove(t, l.RevisionLink("check/one", digestOf(t, one)))
	b.remove(t, l.TagIndexLink("check/two", "v1", digestOf(t, two)))
	mismatch := l.LayerLink("check/one", digestOf(t, layers[1]))
	b.put(t, mismatch, []byte(digestOf(t, layers[0])))
	malformed := []string{l.RevisionLink("check/index", child(1)), l.TagLink("check/index", "v1")}
	for _, key := range malformed {
		b.put(t, key, nil)
	}
	return map[string][]string{
		"reference-unlinked": {layer},
		"child-unlinked":     {manifest},
		"tag-unlinked":       {l.TagLink("check/one", "v1")},
		"tag-unindexed":      {l.TagLink("check/two", "v1")},
		"link-mismatch":      {mismatch},
		"link-malformed":     malformed,
	}
}

// TestCheckRefused finds no damage where the store can't be read.
func TestCheckRefused(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		bucket := c.newBucket(t)
		writeImage(t, serve(t, on(t, c, bucket)).URL, "check/one:v1", randomImage(t, kib, 1))
		for _, c := range []cloud{c.wrong(), c.at("http://" + freeAddr(t))} {
			p := launch(t, c.env(t), "check", "--json", "--older-than", "0s", c.bare(bucket))
			if code := p.code(t, time.Minute); code != 1 || !strings.Contains(p.stdout.String(), `"complete":false,"damage_found":0`) {
				t.Errorf("exit code %d\n%s%s", code, p.stdout.String(), p.stderr.String())
			}
		}
	})
}
