package registry_test

import (
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

// TestManifestRequests counts what a client's requests cost the store.
func TestManifestRequests(t *testing.T) {
	b := mem.New()
	var calls meter.Counter
	one := clientOf(t, serve(t, meter.Wrap(b, calls.Observe)), "a")
	two := clientOf(t, serve(t, meter.Wrap(b, calls.Observe)), "a")
	m := one.image(digest.SHA256, nil)
	signature := one.artifact(typeA, &m.desc)
	for _, tt := range []struct {
		name string
		do   func()
		want int64
	}{
		{"PUT by tag", func() { one.push("v1", m) }, 4},
		// The manifest is there, which the store says and a look confirms.
		{"PUT again by digest with two tags", func() { one.push(m.desc.Digest.String()+"?tag=v2&tag=v3", m) }, 7},
		{"PUT of a referrer", func() { one.push(signature.desc.Digest.String(), signature) }, 3},
		{"GET by tag", func() { two.get("v1") }, 3},
		{"GET by tag again", func() { two.get("v1") }, 1},
		{"GET by digest", func() { two.get(m.desc.Digest.String()) }, 0},
		{"HEAD by tag", func() { do(t, http.MethodHead, two.base+"/manifests/v1", acceptAll, nil) }, 2},
		{"a page of tags", func() { two.tags("?n=2") }, 1},
		{"referrers", func() { two.refer(m.desc.Digest, "", signature) }, 4},
		{"referrers again", func() { two.refer(m.desc.Digest, "", signature) }, 2},
		{"DELETE of a tag", func() { two.remove("v3") }, 2},
		// The tags; of both the link, which has no MD5 here, the link once more, as this store has
		// versions, and its deletion; a batch.
		{"DELETE by digest", func() { two.remove(m.desc.Digest.String()) }, 8},
	} {
		calls.Reset()
		tt.do()
		if got := calls.Total().Calls; got != tt.want {
			t.Errorf("%s: %d requests, want %d:\n%s", tt.name, got, tt.want, &calls)
		}
	}
}
