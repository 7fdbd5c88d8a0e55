//go:build clients

package integration_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// regctl puts artifacts that refer to an image by sha256 and by sha512, lists them, copies
// them along with their subject, and finds them once the subject is deleted.
func regctl(t *testing.T, c emulator.Client, s site) {
	p := newTool(t, c, "regctl")
	p.do("registry", "set", "--tls", "disabled", s.host)
	img := randomImage(t, 300*kib, 2)
	writeImage(t, s.url, "regctl/image:v1", img)
	repo := s.host + "/regctl/image"
	p.do("image", "mod", repo+":v1", "--digest-algo", "sha512", "--create", repo+":v512")

	sums := map[string]string{}
	for _, tag := range []string{"v1", "v512"} {
		image := repo + ":" + tag
		subject := p.do("image", "digest", image)
		sums[tag] = subject
		for _, kind := range []string{"sbom", "signature"} {
			p.feed(kind+" of "+tag, "artifact", "put", "--artifact-type", "application/vnd.example."+kind, "--subject", image)
		}
		want := s.referrers(t, "regctl/image", subject)
		if len(want) != 2 {
			t.Fatalf("referrers of %s: %v, want two", tag, want)
		}
		tree := p.do("artifact", "tree", image)
		for kind, sum := range want {
			if !strings.Contains(tree, sum[0]+": "+kind) {
				t.Errorf("the tree of %s has no %s %s:\n%s", tag, kind, sum[0], tree)
			}
		}
		sbom := "application/vnd.example.sbom"
		listed := p.do("artifact", "list", "--filter-artifact-type", sbom, "--format", "{{json .Descriptors}}", image)
		if got := decoded[[]descriptor](t, listed); len(got) != 1 || got[0].Digest != want[sbom][0] {
			t.Errorf("listed of %s: %v, want %s alone", tag, got, want[sbom])
		}
		if got := p.do("artifact", "get", "--subject", image, "--filter-artifact-type", sbom); got != "sbom of "+tag {
			t.Errorf("the artifact of %s is %q", tag, got)
		}

		copied := s.host + "/regctl/copied:" + tag
		p.do("image", "copy", "--referrers", image, copied)
		if got := p.do("image", "digest", copied); got != subject {
			t.Errorf("copied %s is %s, want %s", tag, got, subject)
		}
		for kind, sum := range s.referrers(t, "regctl/copied", subject) {
			if !slices.Equal(sum, want[kind]) {
				t.Errorf("copied %s has the %s %v, want %v", tag, kind, sum, want[kind])
			}
		}
	}
	if !strings.HasPrefix(sums["v1"], "sha256:") || !strings.HasPrefix(sums["v512"], "sha512:") {
		t.Errorf("digests %v", sums)
	}
	s.wantTags(t, "regctl/image", "v1", "v512")
	s.wantTags(t, "regctl/copied", "v1", "v512")

	p.do("tag", "delete", s.host+"/regctl/copied:v1")
	s.wantTags(t, "regctl/copied", "v512")
	for tag, subject := range sums {
		want := s.referrers(t, "regctl/image", subject)
		p.do("manifest", "delete", repo+"@"+subject)
		if msg := p.fails("manifest", "get", repo+":"+tag); !strings.Contains(msg, "not found") {
			t.Errorf("%s is deleted: %s", tag, msg)
		}
		listed := p.do("artifact", "list", "--format", "{{json .Descriptors}}", repo+"@"+subject)
		if got := decoded[[]descriptor](t, listed); len(got) != len(want) {
			t.Errorf("referrers of %s once it is deleted: %v, want %v", tag, got, want)
		}
	}
	s.wantTags(t, "regctl/image")
}
