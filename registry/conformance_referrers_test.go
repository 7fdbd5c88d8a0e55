package registry_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// referrers lists the referrers of d. artifactType "" is all of them.
func (c repoClient) referrers(d digest.Digest, artifactType string) []v1.Descriptor {
	c.t.Helper()
	at := c.base + "/referrers/" + d.String()
	if artifactType != "" {
		at += "?artifactType=" + url.QueryEscape(artifactType)
	}
	resp, body := do(c.t, http.MethodGet, at, nil, nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != v1.MediaTypeImageIndex {
		c.t.Fatalf("GET of referrers: %s, %s: %s", resp.Status, resp.Header.Get("Content-Type"), body)
	}
	if applied := resp.Header.Get("OCI-Filters-Applied") == "artifactType"; applied != (artifactType != "") {
		c.t.Errorf("filter %q, OCI-Filters-Applied %q", artifactType, resp.Header.Get("OCI-Filters-Applied"))
	}
	var got v1.Index
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.SchemaVersion != 2 || got.MediaType != v1.MediaTypeImageIndex || got.Manifests == nil {
		c.t.Fatalf("referrers are no index: %v: %s", err, body)
	}
	return got.Manifests
}

// refer compares the referrers of d.
func (c repoClient) refer(d digest.Digest, artifactType string, want ...pushed) {
	c.t.Helper()
	descs := make([]v1.Descriptor, len(want))
	for i, w := range want {
		descs[i] = w.desc
	}
	slices.SortFunc(descs, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	if diff := cmp.Diff(descs, c.referrers(d, artifactType)); diff != "" {
		c.t.Errorf("referrers of %s of type %q (-want +got):\n%s", d, artifactType, diff)
	}
}

const typeA, typeB = "application/vnd.example.a+type", "application/vnd.example.b"

func TestConformanceReferrers(t *testing.T) {
	onStores(t, func(t *testing.T, b driver.Bucket) {
		c := clientOf(t, serve(t, b), "conf/referrers")
		subject := c.image(digest.SHA256, nil)
		d := subject.desc.Digest
		c.refer(d, "") // of a repository that nobody has pushed to

		before := c.artifact(typeA, &subject.desc)
		c.push(before.desc.Digest.String(), before)
		c.refer(d, "", before)
		c.lacks(d.String())

		c.push("v1", subject)
		after := c.artifact(typeB, &subject.desc)
		c.push("tagged", after)
		asConfig := c.image(digest.SHA256, func(m *v1.Manifest) { m.Subject = &subject.desc })
		c.push(asConfig.desc.Digest.String(), asConfig)
		asIndex := index(t, digest.SHA256, func(m *v1.Index) { m.Subject, m.ArtifactType = &subject.desc, typeA }, subject)
		c.push(asIndex.desc.Digest.String(), asIndex)
		untyped := index(t, digest.SHA256, func(m *v1.Index) { m.Subject = &subject.desc })
		c.push(untyped.desc.Digest.String(), untyped)
		long := c.image(digest.SHA512, func(m *v1.Manifest) { m.Subject = &subject.desc })
		c.push(long.desc.Digest.String(), long)

		c.refer(d, "", before, after, asConfig, asIndex, untyped, long)
		c.refer(d, typeA, before, asIndex)
		c.refer(d, typeB, after)
		c.refer(d, v1.MediaTypeImageConfig, asConfig, long)
		c.refer(d, "application/vnd.example.none")
		c.refer(before.desc.Digest, "")

		// Referrers of a referrer, and of a manifest by sha512.
		second := c.artifact(typeA, &before.desc)
		c.push(second.desc.Digest.String(), second)
		c.refer(before.desc.Digest, "", second)
		third := c.artifact(typeA, &long.desc)
		c.push(third.desc.Digest.String(), third)
		c.refer(long.desc.Digest, "", third)

		// A deleted referrer is none; those of a deleted subject are still there.
		c.remove(after.desc.Digest.String())
		c.refer(d, typeB)
		c.remove(d.String())
		c.refer(d, "", before, asConfig, asIndex, untyped, long)
		c.has(before.desc.Digest.String(), before)
	})
}

// TestReferrersOfOthers keeps the referrers of repositories apart.
func TestReferrersOfOthers(t *testing.T) {
	srv := serve(t, mem.New())
	one, two := clientOf(t, srv, "one"), clientOf(t, srv, "one/two")
	subject := one.image(digest.SHA256, nil)
	m := one.artifact(typeA, &subject.desc)
	one.push(m.desc.Digest.String(), m)
	two.refer(subject.desc.Digest, "")
	one.refer(subject.desc.Digest, "", m)
}

// TestFallbackTag lists what clients have listed themselves, as far as it is there.
func TestFallbackTag(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "fallback")
	subject := c.image(digest.SHA256, nil)
	d := subject.desc.Digest
	one, two, gone, other := c.artifact(typeA, &subject.desc), c.artifact(typeB, &subject.desc), c.artifact(typeA, &subject.desc), c.artifact(typeA, nil)
	for _, m := range []pushed{one, two, gone, other} {
		c.push(m.desc.Digest.String(), m)
	}
	list := index(t, digest.SHA256, func(m *v1.Index) {
		m.Manifests = []v1.Descriptor{one.desc, gone.desc, other.desc}
	})
	c.push("sha256-"+d.Encoded(), list)
	c.remove(gone.desc.Digest.String())
	c.refer(d, "", one, two)
	c.refer(d, typeA, one)
}
