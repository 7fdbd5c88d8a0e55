package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/internal/storm"
)

// client is one that takes its time, but no longer than it may, mostly.
type client struct {
	*sim
	name string
	rand *rand.Rand
}

func (c *client) run(steps int) {
	for range steps {
		if c.t.Failed() {
			return
		}
		repo, m := pick(c.rand, c.world.Repos), pick(c.rand, c.world.Some)
		if c.rand.IntN(2) == 0 {
			c.think(c.age)
		} else if d, ok := c.condemned(); ok {
			for range 10 {
				if m.Names(d) {
					break
				}
				m = pick(c.rand, c.world.Some)
			}
		}
		switch n := c.rand.IntN(100); {
		case n < 45:
			var tag string
			if c.rand.IntN(3) > 0 {
				tag = pick(c.rand, c.world.Tags)
			}
			c.push(repo, m, tag)
		case n < 53:
			c.deleteManifest(repo, m)
		case n < 60:
			c.deleteTag(repo, pick(c.rand, c.world.Tags))
		case n < 80:
			c.pull(repo, pick(c.rand, c.world.Tags))
		default:
			pick(c.rand, mischief)(c, repo)
		}
	}
}

// condemned waits until a collector is about to condemn or delete something, and perhaps for some
// time of that which this then has.
func (c *client) condemned() (digest.Digest, bool) {
	timeout := time.NewTimer(c.age)
	defer timeout.Stop()
	select {
	case d := <-c.doomed:
		switch c.rand.IntN(4) {
		case 0:
			time.Sleep(time.Duration(c.rand.Float64() * 1.2 * float64(c.wait)))
		case 1:
			time.Sleep(time.Duration(c.rand.Float64() * 10 * float64(time.Second)))
		}
		return d, true
	case <-timeout.C:
		return "", false
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// think takes a time that is mostly short.
func (c *client) think(most time.Duration) {
	f := c.rand.Float64()
	time.Sleep(time.Duration(f * f * f * float64(most)))
}

// reply is what a request was answered.
type reply struct {
	code   int // 0 where the connection broke
	header http.Header
	body   string
	// excused is that something was done to the request, so that it may have failed.
	excused bool
}

func (r reply) ok() bool { return r.code >= 200 && r.code < 300 }

// gone reports whether the answer is that it failed, and may be repeated.
func (r reply) failed() bool {
	return r.code == 0 || r.code >= 500 || r.code == http.StatusTooManyRequests
}

// sent is the body of a request.
type sent struct {
	io.Reader
	size int64 // -1 where the client does not tell
}

// ask sends a request to some replica.
func (c *client) ask(method, target string, header map[string]string, body *sent) reply {
	c.mu.Lock()
	r := pick(c.rand, c.replicas)
	c.mu.Unlock()
	got := c.askOf(c.t.Context(), r, method, target, header, body)
	c.tell("%s at %s: %s %s: %d%s %.100s", c.name, r.Name, method, target, got.code, map[bool]string{true: " (excused)"}[got.excused],
		map[bool]string{true: got.body}[!got.ok() && got.code != http.StatusNotFound])
	return got
}

// askOf sends a request to a replica.
func (s *sim) askOf(ctx context.Context, r *replica, method, target string, header map[string]string, body *sent) (got reply) {
	at, err := url.Parse(target)
	if err != nil {
		s.fail(nil, "%s %s: %v", method, target, err)
		return reply{}
	}
	ctx, q := r.Ask(ctx)
	var rd io.Reader
	if body != nil {
		rd = body.Reader
	}
	req := httptest.NewRequestWithContext(ctx, method, "http://registry"+at.RequestURI(), rd)
	if body != nil {
		req.ContentLength = body.size
		if body.size >= 0 { // net/http leaves it there
			req.Header.Set("Content-Length", strconv.FormatInt(body.size, 10))
		}
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	defer func() {
		got.excused = q.Hit()
		if err := recover(); err == nil {
			got.code, got.header, got.body = rec.Code, rec.Result().Header, rec.Body.String()
		} else if !errors.Is(asError(err), http.ErrAbortHandler) {
			panic(err)
		}
	}()
	r.ServeHTTP(rec, req)
	return got
}

func asError(v any) error {
	err, _ := v.(error)
	return err
}

// want fails unless the answer has one of these codes, or is a failure of a request that is excused.
func (c *client) want(r reply, about digest.Digest, what string, codes ...int) bool {
	if slices.Contains(codes, r.code) {
		return true
	}
	// A state that a newer version wrote is for replicas of that.
	newer := c.upgrade && r.code == http.StatusServiceUnavailable
	if excused := r.excused || newer; !excused || !r.failed() {
		c.fail([]digest.Digest{about}, "%s: %s: %d, want one of %v: %s", c.name, what, r.code, codes, r.body)
	}
	return false
}

func blobURL(repo string, d digest.Digest) string { return "/v2/" + repo + "/blobs/" + d.String() }
func manifestURL(repo, ref string) string         { return "/v2/" + repo + "/manifests/" + ref }

// deleteManifest deletes a manifest and its tags.
func (c *client) deleteManifest(repo string, m *storm.Thing) {
	names := []string{storm.Revision(repo, m.Digest)}
	for _, tag := range c.world.Tags {
		names = append(names, storm.TagName(repo, tag))
	}
	try := c.Begin("", m.Digest, names...)
	r := c.ask(http.MethodDelete, manifestURL(repo, m.Digest.String()), nil, nil)
	c.End(try, r.ok())
	c.want(r, m.Digest, "DELETE of "+m.Name, http.StatusAccepted, http.StatusNotFound)
}

func (c *client) deleteTag(repo, tag string) {
	try := c.Begin("", "", storm.TagName(repo, tag))
	r := c.ask(http.MethodDelete, manifestURL(repo, tag), nil, nil)
	c.End(try, r.ok())
	c.want(r, "", "DELETE of "+tag, http.StatusAccepted, http.StatusNotFound)
}

// pull reads what a tag is, with its layers. What is served is right, and what must be there is.
func (c *client) pull(repo, tag string) {
	type held struct {
		m     *storm.Thing
		since time.Time
	}
	var before []held
	for _, m := range c.world.All {
		if since, ok := c.Kept(storm.TagName(repo, tag), m.Digest); ok {
			before = append(before, held{m, since})
		}
	}
	r := c.ask(http.MethodGet, manifestURL(repo, tag), accept, nil)
	if !c.want(r, "", "GET of "+tag, http.StatusOK, http.StatusNotFound) {
		return
	}
	var got *storm.Thing
	for _, m := range c.world.All {
		if r.code == http.StatusOK && m.Digest == digest.FromString(r.body) {
			got = m
		}
	}
	if r.code == http.StatusOK && (got == nil || r.header.Get("Docker-Content-Digest") != got.Digest.String()) {
		c.fail(nil, "%s: GET of %s:%s is %s: %q", c.name, repo, tag, r.header.Get("Docker-Content-Digest"), r.body)
		return
	}
	for _, h := range before {
		if _, still := c.Kept(storm.TagName(repo, tag), h.m.Digest); still && got != h.m {
			c.fail([]digest.Digest{h.m.Digest}, "%s: %s:%s is %s since %s, and was answered %d, %s", c.name, repo, tag, h.m.Name, stamp(h.since), r.code, digest.FromString(r.body))
			return
		}
	}
	if got == nil {
		return
	}
	for _, d := range got.Layers {
		header := map[string]string{}
		off := 0
		if size := len(c.world.Texts[d]); size > 1 && c.rand.IntN(3) == 0 {
			off = c.rand.IntN(size)
			header["Range"] = fmt.Sprintf("bytes=%d-", off)
		}
		r := c.ask(http.MethodGet, blobURL(repo, d), header, nil)
		text := c.world.Texts[d][off:]
		cut := r.excused && strings.HasPrefix(text, r.body)
		if r.ok() && r.body != text && !cut {
			c.fail([]digest.Digest{d}, "%s: GET of %s from %d has %d bytes that are not its own", c.name, d, off, len(r.body))
		}
		_, kept := c.Kept(storm.TagName(repo, tag), got.Digest)
		if !r.ok() && !r.excused && kept {
			c.fail([]digest.Digest{d}, "%s: GET of %s, which %s:%s has: %d %s", c.name, d, repo, tag, r.code, r.body)
		}
	}
}

var accept = map[string]string{"Accept": "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"}
