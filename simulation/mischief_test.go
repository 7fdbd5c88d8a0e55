package simulation_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// mischief is what broken clients do.
var mischief = []func(c *client, repo string){
	// Content that is not what its digest says.
	func(c *client, repo string) {
		at, ok := c.begin(repo)
		if !ok {
			return
		}
		d := pick(c.rand, c.world.Layers).Digest
		wrong := c.world.Texts[d] + "!"
		if c.rand.IntN(2) == 0 {
			r := c.ask(http.MethodPatch, at, nil, stream(wrong))
			if !c.want(r, d, "PATCH", http.StatusAccepted) {
				return
			}
			at, wrong = r.header.Get("Location"), ""
		}
		r := c.ask(http.MethodPut, to(at, d), nil, whole(wrong))
		c.want(r, d, "PUT of wrong content", http.StatusBadRequest)
	},
	// An upload that is cancelled, and then asked for.
	func(c *client, repo string) {
		at, ok := c.begin(repo)
		if !ok {
			return
		}
		r := c.ask(http.MethodPatch, at, nil, stream(strings.Repeat("x", c.rand.IntN(3*partSize))))
		if !c.want(r, "", "PATCH", http.StatusAccepted) {
			return
		}
		at = r.header.Get("Location")
		// Distribution answers 204 whatever becomes of it.
		if r = c.ask(http.MethodDelete, at, nil, nil); !c.want(r, "", "DELETE of an upload", http.StatusNoContent) || r.excused {
			return
		}
		r = c.ask(http.MethodGet, at, nil, nil)
		c.want(r, "", "GET of a cancelled upload", http.StatusNotFound)
	},
	// A client that hangs up in the middle of its body, and never comes back.
	func(c *client, repo string) {
		at, ok := c.begin(repo)
		if !ok {
			return
		}
		ctx, hangUp := context.WithCancel(c.t.Context())
		defer hangUp()
		c.mu.Lock()
		r := pick(c.rand, c.replicas)
		c.mu.Unlock()
		body := io.MultiReader(strings.NewReader(strings.Repeat("y", 1+c.rand.IntN(3*partSize))), after(func() error {
			time.Sleep(time.Duration(c.rand.IntN(20)) * time.Second)
			hangUp()
			return io.ErrUnexpectedEOF
		}))
		c.askOf(ctx, r, http.MethodPatch, at, nil, &sent{body, -1})
	},
	// Two requests that continue the same state, one after the other.
	func(c *client, repo string) {
		at, ok := c.begin(repo)
		if !ok {
			return
		}
		d := pick(c.rand, c.world.Layers).Digest
		first := c.ask(http.MethodPatch, at, nil, stream("something else"))
		r := c.ask(http.MethodPut, to(at, d), nil, whole(c.world.Texts[d]))
		c.want(r, d, "PUT beside a PATCH", http.StatusCreated)
		if first.ok() {
			r = c.ask(http.MethodPut, to(first.header.Get("Location"), digest.FromString("something else")), nil, nil)
			// The upload has ended with the other one, or this is its other branch.
			c.want(r, "", "PUT after the other", http.StatusCreated, http.StatusNotFound)
		}
	},
	// Manifests that are none, or that name what was never pushed.
	func(c *client, repo string) {
		mediaType := "application/vnd.oci.image.manifest.v1+json"
		for _, payload := range []string{
			"{", "null",
			`{"schemaVersion":2,"mediaType":"` + mediaType + `","config":{"mediaType":"application/json","size":2,"digest":"` + digest.FromString("never pushed").String() + `"},"layers":[]}`,
		} {
			r := c.ask(http.MethodPut, manifestURL(repo, "broken"), map[string]string{"Content-Type": mediaType}, whole(payload))
			c.want(r, "", "PUT of a broken manifest", http.StatusBadRequest, http.StatusNotFound)
		}
	},
	// What can't be an upload.
	func(c *client, repo string) {
		for _, at := range []string{"/v2/" + repo + "/blobs/uploads/abc", "/v2/" + repo + "/blobs/uploads/0b9a2f6e-9b0c-4a51-8a4d-0b1d2b8f2c11?_state=AAAA"} {
			r := c.ask(http.MethodPatch, at, nil, stream("text"))
			c.want(r, "", "PATCH of what is no upload", http.StatusNotFound, http.StatusBadRequest)
		}
	},
}

// after is a reader that calls a function, and fails with what that returns.
type after func() error

func (f after) Read([]byte) (int, error) { return 0, f() }
