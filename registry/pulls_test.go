package registry_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/pulls"
	"github.com/blobdock/blobdock/registry"
)

// TestPullsAreRecorded by tag and by digest, at the registry's end at the latest, and pulls cost no
// request. Nothing else is a pull.
func TestPullsAreRecorded(t *testing.T) {
	b := mem.New()
	var calls meter.Counter
	config := configurationOf(t, meter.Wrap(b, calls.Observe), "")
	config.Middleware["registry"][0].Options = configuration.Parameters{"pulls": map[any]any{"enabled": true}}
	app := handlers.NewApp(t.Context(), config)
	srv := httptest.NewServer(registry.Handler(config, app))
	defer srv.Close()
	c := clientOf(t, srv, "team/app")
	byTag, byHead, byDigest, none := c.image(digest.SHA256, nil), c.image(digest.SHA256, nil), c.image(digest.SHA256, nil), c.image(digest.SHA256, nil)
	for tag, m := range map[string]pushed{"tag": byTag, "head": byHead, "digest": byDigest, "none": none} {
		c.push(tag, m)
	}
	if resp, _ := c.get("tag"); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	if resp, _ := do(t, http.MethodHead, c.base+"/manifests/head", acceptAll, nil); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	if resp, _ := c.get(byDigest.desc.Digest.String()); resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	c.get("unknown")
	c.tags("")
	c.referrers(none.desc.Digest, "")
	puts := func() (n int64) {
		for range driver.List(t.Context(), b, driver.ListRequest{Prefix: layout.Layout{Root: layout.DefaultRoot}.Pulls()}) {
			n++
		}
		return n
	}
	if n := puts(); n > 1 {
		t.Errorf("%d objects are written for pulls, want at most the one that tells since when", n)
	}
	if err := app.Shutdown(); err != nil {
		t.Fatal(err)
	}
	r, err := pulls.Read(t.Context(), b, layout.Layout{Root: layout.DefaultRoot})
	if err != nil || r.Since.IsZero() {
		t.Fatalf("%+v, %v", r, err)
	}
	for ref, want := range map[string]bool{
		"tag": true, "head": true, "digest": false, "none": false, "unknown": false,
		byTag.desc.Digest.String(): true, byDigest.desc.Digest.String(): true, none.desc.Digest.String(): false,
	} {
		if got := !r.Pulled("team/app", ref).IsZero(); got != want {
			t.Errorf("%s was pulled: %t, want %t", ref, got, want)
		}
	}
}
