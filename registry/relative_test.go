package registry_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver/mem"
)

// TestRelativePrefix pushes a blob and a manifest by the Locations of a registry below a prefix
// that answers with relative ones.
func TestRelativePrefix(t *testing.T) {
	srv := httptest.NewServer(configured(t, mem.New(), "", func(c *configuration.Configuration) {
		c.HTTP.Prefix, c.HTTP.RelativeURLs = "/hub/", true
	}))
	defer srv.Close()
	at := func(resp *http.Response) string {
		location := resp.Header.Get("Location")
		if !strings.HasPrefix(location, "/hub/v2/app/") {
			t.Fatalf("%s %s: Location %q", resp.Request.Method, resp.Request.URL.Path, location)
		}
		return srv.URL + location
	}
	const blob = "{}"
	d := digest.FromString(blob)
	resp, _ := do(t, http.MethodPost, srv.URL+"/hub/v2/app/blobs/uploads/", nil, nil)
	resp, _ = do(t, http.MethodPatch, at(resp), map[string]string{"Content-Type": "application/octet-stream"}, strings.NewReader(blob))
	resp, body := do(t, http.MethodPut, at(resp)+"&digest="+d.String(), nil, nil)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s %s", resp.Status, body)
	}
	if resp, body = do(t, http.MethodGet, at(resp), nil, nil); body != blob {
		t.Errorf("GET: %s %s", resp.Status, body)
	}
	if resp, body = do(t, http.MethodGet, srv.URL+"/hub/v2/app/referrers/"+d.String(), nil, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("referrers: %s %s", resp.Status, body)
	}
}
