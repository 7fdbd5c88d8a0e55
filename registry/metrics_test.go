package registry_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/go-metrics"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver/mem"
)

// pulled reads a counter as Prometheus would.
func pulled(t *testing.T, reason string) int {
	t.Helper()
	w := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	line := regexp.MustCompile(`blobdock_storage_pulls_total\{redirect="` + reason + `"\} (\d+)`).FindStringSubmatch(w.Body.String())
	if line == nil {
		t.Fatalf("no counter for %s", reason)
	}
	n, err := strconv.Atoi(line[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPullsAreCounted(t *testing.T) {
	srv := serve(t, mem.New())
	small, large := "small", strings.Repeat("large", 10_000)
	for reason, blob := range map[string]string{"small": small, "unsigned": large} {
		d := digest.FromString(blob)
		resp, body := do(t, http.MethodPost, srv.URL+"/v2/metrics/blobs/uploads/", nil, nil)
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("POST: %s: %s", resp.Status, body)
		}
		resp, body = do(t, http.MethodPut, resp.Header.Get("Location")+"&digest="+d.String(), nil, strings.NewReader(blob))
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("PUT: %s: %s", resp.Status, body)
		}
		gets, heads := pulled(t, reason), pulled(t, "not_get")
		at := srv.URL + "/v2/metrics/blobs/" + d.String()
		do(t, http.MethodGet, at, nil, nil)
		do(t, http.MethodHead, at, nil, nil)
		if got := pulled(t, reason); got != gets+1 {
			t.Errorf("%s: %d, want %d", reason, got, gets+1)
		}
		if got := pulled(t, "not_get"); got != heads+1 {
			t.Errorf("not_get: %d, want %d", got, heads+1)
		}
	}
}
