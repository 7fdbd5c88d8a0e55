package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/notifications"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver/mem"
)

// listener has a registry notify somebody.
func listener(t *testing.T) (<-chan notifications.Event, func(*configuration.Configuration)) {
	t.Helper()
	events := make(chan notifications.Event, 100)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var envelope struct{ Events []notifications.Event }
		if err := json.NewDecoder(r.Body).Decode(&envelope); err != nil {
			t.Error(err)
		}
		for _, event := range envelope.Events {
			events <- event
		}
	}))
	t.Cleanup(endpoint.Close)
	return events, func(c *configuration.Configuration) {
		c.Notifications.Endpoints = []configuration.Endpoint{{
			Name: "here", URL: endpoint.URL, Timeout: 10 * time.Second, Threshold: 10, Backoff: time.Millisecond,
		}}
	}
}

// TestNotifications has distribution notify others of manifests that it can't read itself, or
// not by their digests: pushes and pulls.
func TestNotifications(t *testing.T) {
	events, listen := listener(t)
	srv := serveConfigured(t, mem.New(), func(c *configuration.Configuration) {
		c.Notifications.EventConfig.IncludeReferences = true
		listen(c)
	})
	c := clientOf(t, srv, "notified")
	known, long := c.image(digest.SHA256, nil), c.image(digest.SHA512, nil)
	const other = "application/vnd.example.manifest.v1+json"
	unknown := c.image(digest.SHA256, nil)
	unknown.content = []byte(strings.Replace(string(unknown.content), unknown.desc.MediaType, other, 1))
	unknown.desc.MediaType, unknown.desc.Digest = other, digest.FromBytes(unknown.content)
	for _, tt := range []struct {
		name      string
		m         pushed
		mediaType string
	}{
		{"a type that distribution knows", known, known.desc.MediaType},
		{"another type", unknown, fmt.Sprintf("application/vnd.blobdock.manifest+sha256; type=%q", other)},
		{"sha512", long, fmt.Sprintf("application/vnd.blobdock.manifest+sha512; type=%q", long.desc.MediaType)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.m.desc.Digest.String()
			c := repoClient{t, c.base}
			c.push(d, tt.m)
			if resp, body := c.get(d); resp.StatusCode != http.StatusOK || body != string(tt.m.content) || resp.Header.Get("Content-Type") != tt.m.desc.MediaType {
				t.Errorf("GET: %s, %v", resp.Status, resp.Header)
			}
			var actions []string
			for len(actions) < 2 {
				var event notifications.Event
				select {
				case event = <-events:
				case <-time.After(10 * time.Second):
					t.Fatalf("notified of %v, want a push and a pull", actions)
				}
				target := event.Target
				if target.MediaType == "application/octet-stream" { // a blob
					continue
				}
				actions = append(actions, event.Action)
				if target.Digest.String() != d || target.MediaType != tt.mediaType || target.Size != int64(len(tt.m.content)) ||
					!strings.HasSuffix(target.URL, "/v2/notified/manifests/"+d) || len(target.References) == 0 {
					t.Errorf("notified of %s %+v, want %s as %s", event.Action, target, d, tt.mediaType)
				}
			}
			if !slices.Equal(actions, []string{"push", "pull"}) {
				t.Errorf("notified of %v, want a push and a pull", actions)
			}
		})
	}
}

// TestSignaturesNotify tells of a blob that is there.
func TestSignaturesNotify(t *testing.T) {
	events, listen := listener(t)
	srv := serveConfigured(t, mem.New(), func(c *configuration.Configuration) {
		withSignatures(c)
		listen(c)
	})
	s := signingClient(clientOf(t, srv, "a"))
	m := s.image(digest.SHA256, nil)
	s.push("v1", m)
	d := m.desc.Digest
	if resp, body := s.put(d, " "+signature(d, "x")); resp.StatusCode != http.StatusCreated {
		t.Fatalf("PUT: %s: %s", resp.Status, body)
	}
	s.want(d, "x")
	for {
		select {
		case event := <-events:
			if event.Action != notifications.EventActionMount {
				continue
			}
			if resp, body := do(t, http.MethodGet, s.base+"/blobs/"+event.Target.Digest.String(), nil, nil); resp.StatusCode != http.StatusOK || !strings.Contains(body, "@x") {
				t.Errorf("told of %s: %s: %s", event.Target.Digest, resp.Status, body)
			}
			return
		case <-time.After(10 * time.Second):
			t.Fatal("no notification")
		}
	}
}

// TestForeignManifestInCache reads a manifest that distribution knows no type of where Handler
// leaves manifests alone: in a cache on a bucket that was a registry's. It has its own type.
func TestForeignManifestInCache(t *testing.T) {
	b := mem.New()
	c := clientOf(t, serve(t, b), "a")
	const other = "application/vnd.example+json"
	m := manifestOf(t, other, digest.SHA256, map[string]string{"mediaType": other})
	c.push(m.desc.Digest.String(), m)
	upstream := serve(t, mem.New())
	for name, change := range map[string]func(*configuration.Configuration){
		"cache":    func(c *configuration.Configuration) { c.Proxy.RemoteURL = upstream.URL },
		"disabled": func(c *configuration.Configuration) { c.Middleware["registry"][0].Disabled = true },
	} {
		c := clientOf(t, serveConfigured(t, b, change), "a")
		if resp, body := c.get(m.desc.Digest.String()); resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != other {
			t.Errorf("%s: GET: %s, type %q: %s", name, resp.Status, resp.Header.Get("Content-Type"), body)
		}
	}
}
