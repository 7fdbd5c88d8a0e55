package transfer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/transfer"
)

// of is what a registry has of those repositories: their links and the blobs.
func of(all map[string]string, repos ...string) map[string]string {
	part := make(map[string]string)
	for key, value := range all {
		if n, _ := l.Parse(key); n.Kind != layout.Blob && slices.Contains(repos, n.Repo) {
			part[key] = value
			blob := l.Blob(digest.Digest(value))
			part[blob] = all[blob]
		}
	}
	return part
}

func TestRepositories(t *testing.T) {
	src := registry(t)
	all := contents(t, src)
	for _, tt := range []struct {
		patterns []string
		want     []string
	}{
		{[]string{"a"}, []string{"a"}},
		{[]string{"a", "a", "team/app"}, []string{"a", "team/app"}},
		{[]string{"a/*"}, []string{"a/0", "a/b"}},
		{[]string{"a*", "team/**"}, []string{"a", "a-b", "team/app"}},
		{[]string{"**"}, []string{"a", "a-b", "a/0", "a/b", "team/app"}},
	} {
		dst := newBucket()
		o := transfer.Options{Repositories: tt.patterns}
		first, problems, err := copies(t, src, dst, o)
		if err != nil || len(problems) > 0 {
			t.Errorf("%q: %v, %v", tt.patterns, err, problems)
		}
		want := of(all, tt.want...)
		wantSame(t, contents(t, dst), want)
		if int(first.Blobs) != blobsOf(want) {
			t.Errorf("%q: %+v, want %d blobs", tt.patterns, first, blobsOf(want))
		}
		again, _, err := copies(t, src, dst, o)
		there := transfer.Summary{BlobsThere: first.Blobs, BytesThere: first.Bytes, LinksThere: first.Links, TagsThere: first.Tags}
		if diff := cmp.Diff(there, again); err != nil || diff != "" {
			t.Errorf("%q again: %v (-want +got):\n%s", tt.patterns, err, diff)
		}
	}
}

// TestTags copies tags with all that they need, and what refers to them.
func TestTags(t *testing.T) {
	src := newBucket()
	p := &pushes{TB: t, bucket: src}
	one, two := p.image("app", nil, 100, 5000), p.image("app", nil, 100)
	p.tag("app", "v1.0", two.Digest)
	p.tag("app", "v1.0", one.Digest)
	signature := p.image("app", &one, 30)
	p.refer("app", one.Digest, signature)
	p.refer("app", signature.Digest, p.image("app", &signature, 40)) // it is signed in turn
	cache := p.random("app", 70)                                     // an index of blobs, as caches are
	p.tag("app", "v1.1", p.index("app", two, cache).Digest)
	p.tag("app", "sha256-"+two.Digest.Encoded()+".sig", p.image("app", nil, 50).Digest)
	want := contents(t, src)
	delete(want, l.TagIndexLink("app", "v1.0", two.Digest)) // what it was

	p.tag("app", "other", p.image("app", nil, 60).Digest)
	p.image("app", nil, 20)
	p.tag("elsewhere", "v1.0", p.image("elsewhere", nil, 60).Digest)

	dst := newBucket()
	o := transfer.Options{Repositories: []string{"app"}, Tags: []string{"v1.*"}}
	first, problems, err := copies(t, src, dst, o)
	if err != nil || len(problems) > 0 {
		t.Errorf("Copy: %v, %v", err, problems)
	}
	got := contents(t, dst)
	wantSame(t, got, want)
	wantConsistent(t, got)
	if first.Tags != 5 || int(first.Blobs) != blobsOf(want) {
		t.Errorf("%+v", first)
	}
	again, _, err := copies(t, src, dst, o)
	if err != nil || again.Blobs+again.Links+again.Tags > 0 || again.TagsThere != first.Tags {
		t.Errorf("again: %v, %+v", err, again)
	}
	// The tag of a signature alone brings what it signs.
	dst = newBucket()
	o.Tags = []string{"sha256-" + signature.Digest.Encoded()}
	if _, problems, err := copies(t, src, dst, o); err != nil || len(problems) > 0 {
		t.Errorf("signature: %v, %v", err, problems)
	}
	if got := contents(t, dst); got[l.RevisionLink("app", one.Digest)] == "" {
		t.Error("a signature came without what it signs")
	}
}

// TestIncompleteManifests are those that lack something in the source.
func TestIncompleteManifests(t *testing.T) {
	src, dst := newBucket(), newBucket()
	p := &pushes{TB: t, bucket: src}
	absent := v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString("absent"), Size: 6}
	foreign := absent
	foreign.URLs = []string{"https://example.com/layer"}
	image := func(layers ...v1.Descriptor) v1.Descriptor {
		return p.manifest("app", v1.MediaTypeImageManifest, v1.Manifest{Config: p.random("app", 10), Layers: layers})
	}
	p.tag("app", "foreign-layer", image(foreign).Digest)
	elsewhere := absent
	elsewhere.Digest = digest.FromString("another platform")
	platforms := p.index("app", p.image("app", nil, 10), elsewhere)
	p.tag("app", "other-platforms", platforms.Digest)
	p.tag("app", "early-signature", p.image("app", &absent, 20).Digest)
	p.tag("app", "no-layer", image(absent).Digest)
	p.tag("app", "no-layer-below", p.index("app", image(absent)).Digest)
	p.tag("app", "no-manifest", absent.Digest)
	text := digest.FromString("text")
	write(t, src, l.Blob(text), []byte("text"))
	write(t, src, l.RevisionLink("app", text), []byte(text))
	p.tag("app", "no-json", text)

	_, problems, err := copies(t, src, dst, transfer.Options{Repositories: []string{"app"}, Tags: []string{"*"}})
	if !errors.Is(err, transfer.ErrIncomplete) {
		t.Error(err)
	}
	got := make(map[string]transfer.Kind)
	for _, p := range problems {
		n, _ := l.Parse(p.Key)
		switch {
		case n.Tag != "":
			got[n.Tag] = p.Kind
		case n.Digest == platforms.Digest:
			got["platforms"] = p.Kind
		case n.Digest == text:
			got["text"] = p.Kind
		default:
			got["image"] = p.Kind
		}
	}
	if diff := cmp.Diff(map[string]transfer.Kind{
		"platforms": transfer.Dangling, "no-manifest": transfer.Dangling, "text": transfer.Corrupt, "image": transfer.Failed,
		"no-layer": transfer.LeftOut, "no-layer-below": transfer.LeftOut, "no-json": transfer.LeftOut,
	}, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", diff, problems)
	}
	var tags []string
	all := contents(t, dst)
	wantConsistent(t, all)
	for key := range all {
		if n, _ := l.Parse(key); n.Kind == layout.TagLink {
			tags = append(tags, n.Tag)
		}
	}
	slices.Sort(tags)
	if want := []string{"early-signature", "foreign-layer", "other-platforms"}; !slices.Equal(tags, want) {
		t.Errorf("tags %q, want %q", tags, want)
	}
}

func TestMovedTags(t *testing.T) {
	for _, o := range []transfer.Options{{}, {Repositories: []string{"app"}}, {Repositories: []string{"app"}, Tags: []string{"v1"}}} {
		for keep, want := range map[bool]transfer.Kind{false: transfer.Moved, true: transfer.Kept} {
			src, dst := newBucket(), newBucket()
			p := &pushes{TB: t, bucket: dst}
			old := p.image("app", nil, 10)
			p.tag("app", "v1", old.Digest)
			p = &pushes{TB: t, bucket: src, seed: 100}
			image := p.image("app", nil, 10)
			p.tag("app", "v1", image.Digest)
			o.KeepTags = keep
			sum, problems, err := copies(t, src, dst, o)
			if err != nil || len(problems) != 1 || problems[0].Kind != want || problems[0].Key != l.TagLink("app", "v1") {
				t.Errorf("%+v: %v, %v", o, err, problems)
			}
			is := image
			if keep {
				is = old
			}
			if got := contents(t, dst)[l.TagLink("app", "v1")]; got != is.Digest.String() {
				t.Errorf("%+v: the tag is %s, want %s; %+v", o, got, is.Digest, sum)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	src := registry(t)
	for _, tt := range []struct {
		repos, tags []string
		want        string
	}{
		{[]string{"a", "absent"}, nil, "absent"},
		{[]string{"a", "none/*"}, nil, "none/*"},
		{[]string{"a"}, []string{"v1", "v7"}, "v7"},
		{[]string{"a", "absent"}, []string{"v1"}, "absent"},
	} {
		dst := newBucket()
		_, problems, err := copies(t, src, dst, transfer.Options{Repositories: tt.repos, Tags: tt.tags})
		if !errors.Is(err, transfer.ErrIncomplete) || len(problems) != 1 || problems[0].Kind != transfer.Missing || problems[0].Key != tt.want {
			t.Errorf("%q %q: %v, %v", tt.repos, tt.tags, err, problems)
		}
		if got := contents(t, dst); !strings.HasPrefix(got[l.TagLink("a", "v1")], "sha256:") {
			t.Errorf("%q %q: what is there is not copied", tt.repos, tt.tags)
		}
	}
}
