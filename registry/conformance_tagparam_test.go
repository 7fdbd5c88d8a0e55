package registry_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
)

func TestConformanceTagParameter(t *testing.T) {
	onStores(t, func(t *testing.T, b driver.Bucket) {
		c := clientOf(t, serve(t, b), "conf/tagparam")
		for _, a := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
			m := c.image(a, nil)
			var want []string
			query := url.Values{}
			for i := range 11 {
				tag := fmt.Sprintf("%s-%02d", a, i)
				want = append(want, tag)
				query.Add("tag", tag)
			}
			query.Add("tag", want[0])
			resp := c.push(m.desc.Digest.String()+"?"+query.Encode(), m)
			if got := resp.Header.Values("OCI-Tag"); !slices.Equal(got, want) {
				t.Errorf("OCI-Tag %q, want %q", got, want)
			}
			for _, tag := range want {
				c.has(tag, m)
			}
			if got := c.tags("?last=" + a.String()); !slices.Equal(got[:11], want) {
				t.Errorf("tags %v, want %v", got, want)
			}
			c.remove(want[0])
			c.lacks(want[0])
			c.has(want[1], m)
			c.remove(m.desc.Digest.String())
			c.lacks(want[1])
		}
		if got := c.tags(""); len(got) != 0 {
			t.Errorf("tags %v are left", got)
		}
	})
}

// TestTagParameterRefused has tags that nobody can push. None of the others is written, nor is
// the manifest.
func TestTagParameterRefused(t *testing.T) {
	c := clientOf(t, serve(t, mem.New()), "a")
	m := c.image(digest.SHA256, nil)
	d := m.desc.Digest.String()
	many := "?"
	for i := range 101 {
		many += fmt.Sprintf("&tag=t%d", i)
	}
	for query, want := range map[string]int{
		"?tag=good&tag=":                            http.StatusBadRequest,
		"?tag=good&tag=a/b":                         http.StatusBadRequest,
		"?tag=good&tag=..":                          http.StatusBadRequest,
		"?tag=good&tag=a%0d%0aSet-Cookie:%20x":      http.StatusBadRequest,
		"?tag=good&tag=" + strings.Repeat("a", 129): http.StatusBadRequest,
		many: http.StatusRequestURITooLong,
	} {
		resp, body := c.put(d+query, m)
		if resp.StatusCode != want || resp.Header.Get("OCI-Tag") != "" {
			t.Errorf("%.60s: %s: %s, want %d", query, resp.Status, body, want)
		}
		c.lacks(d)
		c.lacks("good")
	}
	// Beside a tag the parameter has no meaning.
	if resp := c.push("v1?tag=v2", m); resp.Header.Get("OCI-Tag") != "" {
		t.Errorf("OCI-Tag %q of a push by tag", resp.Header.Get("OCI-Tag"))
	}
	c.lacks("v2")
}

// TestFailedPushTellsNothing has the store fail when the tag is written.
func TestFailedPushTellsNothing(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	subject := c.image(digest.SHA256, nil)
	m := c.artifact(typeA, &subject.desc)
	c = clientOf(t, serve(t, fault.Wrap(b, fault.Script{{Op: driver.OpPut, Key: "*/current/link", Kind: driver.Full}})), "a")
	for _, ref := range []string{"v1", m.desc.Digest.String() + "?tag=v1"} {
		resp, body := c.put(ref, m)
		if resp.StatusCode != http.StatusInsufficientStorage || resp.Header.Get("OCI-Subject") != "" || resp.Header.Get("OCI-Tag") != "" {
			t.Errorf("PUT %s: %s, %v: %s", ref, resp.Status, resp.Header, body)
		}
		c.lacks("v1")
	}
}
