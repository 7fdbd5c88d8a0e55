package registry_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver/mem"
)

// TestLargeReferrers has referrers that one index has no room for. They come in pages, none of
// which is larger than a manifest may be.
func TestLargeReferrers(t *testing.T) {
	t.Parallel()
	c := clientOf(t, serve(t, mem.New()), "a")
	subject := c.image(digest.SHA256, nil)
	var want []string
	for i := range 5 {
		m := c.image(digest.SHA256, func(m *v1.Manifest) {
			m.Subject, m.ArtifactType = &subject.desc, typeA
			m.Annotations = map[string]string{"large": strings.Repeat("<", 300<<10)} // six bytes each in JSON
			if i == 4 {
				m.ArtifactType = typeB
			}
		})
		c.push(m.desc.Digest.String(), m)
		if i < 4 {
			want = append(want, m.desc.Digest.String())
		}
	}
	slices.Sort(want)
	var got []string
	pages := 0
	for at := c.base + "/referrers/" + subject.desc.Digest.String() + "?artifactType=application%2Fvnd.example.a%2Btype"; at != ""; pages++ {
		resp, body := do(t, http.MethodGet, at, nil, nil)
		var page v1.Index
		if err := json.Unmarshal([]byte(body), &page); err != nil || resp.StatusCode != http.StatusOK || len(body) > 4<<20 {
			t.Fatalf("%s: %s, %d bytes, %v", at, resp.Status, len(body), err)
		}
		if resp.Header.Get("OCI-Filters-Applied") != "artifactType" {
			t.Errorf("page %d was not filtered", pages)
		}
		for _, m := range page.Manifests {
			got = append(got, m.Digest.String())
		}
		at = ""
		if link := resp.Header.Get("Link"); link != "" {
			next, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
			u, err := resp.Request.URL.Parse(next)
			if !ok || err != nil {
				t.Fatalf("Link %s", link)
			}
			at = u.String()
		}
	}
	if !slices.Equal(got, want) || pages < 2 {
		t.Errorf("%d pages: %v, want %v", pages, got, want)
	}
}
