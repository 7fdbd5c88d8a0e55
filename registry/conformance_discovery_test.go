package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// tags lists tags. query is "" or begins with "?".
func (c repoClient) tags(query string) []string {
	c.t.Helper()
	got, _ := c.page(query)
	return got
}

// page is tags, and where the next page is.
func (c repoClient) page(query string) (tags []string, next string) {
	c.t.Helper()
	resp, body := do(c.t, http.MethodGet, c.base+"/tags/list"+query, nil, nil)
	var got struct{ Tags []string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("GET of tags: %s: %s", resp.Status, body)
	}
	if got.Tags == nil {
		c.t.Errorf("tags are null: %s", body)
	}
	link := resp.Header.Get("Link")
	if link == "" {
		return got.Tags, ""
	}
	at, rel, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	_, next, ok := strings.Cut(at, "?")
	if !ok || strings.TrimSpace(rel) != `; rel="next"` {
		c.t.Errorf("Link %s", link)
	}
	return got.Tags, "?" + next
}

func TestConformanceContentDiscovery(t *testing.T) {
	onStores(t, func(t *testing.T, b driver.Bucket) {
		c := clientOf(t, serve(t, b), "conf/discovery")
		if resp, body := do(t, http.MethodGet, c.base+"/tags/list", nil, nil); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "NAME_UNKNOWN") {
			t.Errorf("tags of a repository that is not there: %s: %s", resp.Status, body)
		}
		m := c.image(digest.SHA256, nil)
		c.push(m.desc.Digest.String(), m)
		if got := c.tags(""); len(got) > 0 {
			t.Errorf("tags %v of a manifest that has none", got)
		}
		want := []string{"V", "_", "a", "a-b", "a-b-c", "a.b", "a0", "a_b", "latest", "v1", "v1-0", "v1-rc", "v1.0", "v10"}
		slices.Sort(want)
		for _, tag := range want {
			c.push(tag, m)
		}
		if got := c.tags(""); !slices.Equal(got, want) {
			t.Errorf("tags %v, want %v", got, want)
		}
		for _, n := range []int{1, 2, 5, len(want), 100} {
			var got []string
			for query := fmt.Sprintf("?n=%d", n); query != ""; {
				page, next := c.page(query)
				if len(page) > n {
					t.Fatalf("n=%d: %v", n, page)
				}
				got, query = append(got, page...), next
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d: %v, want %v", n, got, want)
			}
		}
		for i, last := range want {
			if got := c.tags("?last=" + last); !slices.Equal(got, want[i+1:]) {
				t.Errorf("after %s: %v, want %v", last, got, want[i+1:])
			}
		}
		for query, want := range map[string][]string{"?n=0": {}, "?last=zzz": {}, "?n=2&last=a0b": {"a_b", "latest"}, "?last=/": want} {
			if got := c.tags(query); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
	})
}

// TestTagListErrors asks for pages that are none.
func TestTagListErrors(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "a")
	m := c.image(digest.SHA256, nil)
	c.push("v1", m)
	for _, query := range []string{"?n=-1", "?n=x", "?n=99999999999999999999"} {
		if resp, body := do(t, http.MethodGet, c.base+"/tags/list"+query, nil, nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s: %s", query, resp.Status, body)
		}
	}
	for _, query := range []string{"?n=9223372036854775807", "?last=%00", "?last=../../..", "?n=1&last=%ff", "?n=1&last=" + strings.Repeat("a", 5000)} {
		if resp, body := do(t, http.MethodGet, c.base+"/tags/list"+query, nil, nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: %s", query, resp.Status, body)
		}
	}
}
