package transfer_test

import (
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/transfer"
)

// TestReferrers copies what refers to a copied manifest, and what refers to that in turn. A
// referrer that was deleted is no problem.
func TestReferrers(t *testing.T) {
	src := newBucket()
	p := &pushes{TB: t, bucket: src}
	one, other := p.image("app", nil, 100), p.image("app", nil, 100)
	p.tag("app", "v1", one.Digest)
	p.tag("app", "v2", other.Digest)
	signature := p.image("app", &one, 10)
	p.referrer("app", one.Digest, signature.Digest)
	second := p.image("app", &signature, 10)
	p.referrer("app", signature.Digest, second.Digest)
	p.referrer("app", other.Digest, p.image("app", &other, 10).Digest)
	gone := digest.FromString("gone")
	p.referrer("app", one.Digest, gone)
	listed := p.image("app", &one, 10) // by distribution, which lists none
	all := contents(t, src)

	dst := newBucket()
	if _, problems, err := copies(t, src, dst, transfer.Options{}); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	wantSame(t, contents(t, dst), all)

	dst = newBucket()
	if _, problems, err := copies(t, src, dst, transfer.Options{Repositories: []string{"app"}, Tags: []string{"v1"}}); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	got := contents(t, dst)
	for name, key := range map[string]string{
		"the signature's link": l.Referrer("app", one.Digest, signature.Digest), "the signature": l.RevisionLink("app", signature.Digest),
		"that of the signature": l.Referrer("app", signature.Digest, second.Digest), "its manifest": l.RevisionLink("app", second.Digest),
	} {
		if got[key] != all[key] {
			t.Errorf("%s: %q, want %q", name, got[key], all[key])
		}
	}
	for name, key := range map[string]string{
		"another tag": l.TagLink("app", "v2"), "a deleted referrer": l.Referrer("app", one.Digest, gone), "what nobody lists": l.RevisionLink("app", listed.Digest),
	} {
		if _, ok := got[key]; ok {
			t.Errorf("%s was copied", name)
		}
	}
}

// TestNonDistributable copies an image one of whose layers the registry was never given.
func TestNonDistributable(t *testing.T) {
	src := newBucket()
	p := &pushes{TB: t, bucket: src}
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: p.random("app", 10), Layers: []v1.Descriptor{
		{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar", Digest: digest.FromString("elsewhere"), Size: 9},
	}}
	p.tag("app", "v1", p.manifest("app", m.MediaType, m).Digest)
	dst := newBucket()
	if _, problems, err := copies(t, src, dst, transfer.Options{Repositories: []string{"app"}, Tags: []string{"v1"}}); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	wantSame(t, contents(t, dst), contents(t, src))
}
