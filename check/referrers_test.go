package check_test

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/check"
)

// TestReferrers has lists of referrers, some of which were deleted, and a repository where
// nothing else is left.
func TestReferrers(t *testing.T) {
	b := newBucket(t)
	p := populate(b)
	before, _ := run(t, b, check.Options{})
	gone := digest.FromString("gone")
	for _, repo := range []string{"team/app", "referrers"} {
		b.put(at.Referrer(repo, p.app.manifest.Digest, p.old.manifest.Digest), p.old.manifest.Digest.String())
		b.put(at.Referrer(repo, p.app.manifest.Digest, gone), gone.String())
	}
	after, found := run(t, b, check.Options{Digest: true})
	if len(found) > 0 || after.Repositories != before.Repositories || after.Links != before.Links {
		t.Errorf("found %+v, %+v", found, after)
	}
	if _, found := run(t, b, check.Options{Repositories: []string{"referrers"}}); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
	b.put(at.Manifests("team/app")+"referrers/sha256/x/link", "x")
	if _, found := run(t, b, check.Options{}); len(found) != 1 || found[0].Kind != check.KeyUnknown {
		t.Errorf("found %+v", found)
	}
}

// TestOtherManifests has manifests of types that distribution does not know.
func TestOtherManifests(t *testing.T) {
	b := newBucket(t)
	populate(b)
	blob := b.blob("team/app", "a/b", "of an artifact")
	b.manifest("team/app", "", object{"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []any{blob}}, "artifact")
	b.manifest("team/app", "", object{"mediaType": "application/vnd.x+json", "anything": 1}, "anything")
	b.manifest("team/app", "", object{"anything": 1}, "untold")
	if s, found := run(t, b, check.Options{Digest: true}); len(found) > 0 || s.Orphans > 0 {
		t.Errorf("found %+v, %+v", found, s)
	}
}
