package simulation_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/internal/storm"
)

// bound is how long a promise holds.
func (s *sim) bound() time.Duration { return s.wait * 3 / 4 }

// push pushes m, and what of it the registry says it lacks, in one of the ways that clients have. It
// reports whether that was acknowledged.
func (c *client) push(repo string, m *storm.Thing, tag string) bool {
	began := time.Now()
	send := pick(c.rand, senders)
	var promised time.Time // the first
	note := func() {
		if promised.IsZero() {
			promised = time.Now()
		}
	}
	for _, d := range m.Layers {
		if !c.pushBlob(repo, d, send) {
			return false
		}
		note()
		c.think(c.bound() / 2)
	}
	half := false // a child may be there without its layers
	for _, child := range m.Children {
		r := c.ask(http.MethodHead, manifestURL(repo, child.Digest.String()), accept, nil)
		if !c.want(r, child.Digest, "HEAD of "+child.Name, http.StatusOK, http.StatusNotFound) {
			return false
		}
		if r.code == http.StatusNotFound && !c.push(repo, child, "") {
			return false
		}
		note()
		half = half || c.halfThere(repo, child)
	}
	names, ref := []string{storm.Revision(repo, m.Digest)}, m.Digest.String()
	if tag != "" {
		names, ref = append(names, storm.TagName(repo, tag)), tag
	}
	late := !promised.IsZero() && time.Since(promised) > c.bound() || c.jumps && time.Since(began) > c.bound()
	mediaType, payload, err := m.Manifest.Payload()
	if err != nil {
		c.t.Fatal(err)
	}
	try := c.Begin(m.Digest, "", names...)
	r := c.ask(http.MethodPut, manifestURL(repo, ref), map[string]string{"Content-Type": mediaType}, whole(string(payload)))
	c.End(try, r.code == http.StatusCreated)
	if r.code != http.StatusCreated {
		if !late && !half && !c.lacks(repo, m, began) {
			c.want(r, m.Digest, fmt.Sprintf("PUT of %s, which began at %s with a promise of %s", m.Name, stamp(began), stamp(promised)), http.StatusCreated)
		}
		return false
	}
	if since, ok := c.Kept(names[0], m.Digest); ok {
		c.whole(nil, repo, m.Digest.String(), m, since)
	}
	return true
}

// halfThere reports whether a push that was given up may have left m without what it names.
func (s *sim) halfThere(repo string, m *storm.Thing) bool {
	return s.Unsure(storm.Revision(repo, m.Digest)) || slices.ContainsFunc(m.Children, func(c *storm.Thing) bool {
		return s.halfThere(repo, c) || s.Deleted(storm.Revision(repo, c.Digest), time.Time{})
	})
}

// lacks reports whether clients have deleted something that m names since a time, or shortly before it.
func (s *sim) lacks(repo string, m *storm.Thing, since time.Time) bool {
	return slices.ContainsFunc(m.Children, func(c *storm.Thing) bool {
		return s.Deleted(storm.Revision(repo, c.Digest), since.Add(-lookups)) || s.lacks(repo, c, since)
	})
}

// lookups is how long a replica may count on what it has found, whoever deletes it by another one, and how
// long it may have looked for it.
const lookups = 2 * time.Minute

// pushBlob pushes a blob unless it is there. Clients repeat what fails.
func (c *client) pushBlob(repo string, d digest.Digest, send sender) bool {
	r := c.ask(http.MethodHead, blobURL(repo, d), nil, nil)
	if r.code == http.StatusOK {
		return true
	}
	if !c.want(r, d, "HEAD of "+d.String(), http.StatusNotFound) {
		return false
	}
	for range 4 {
		if send(c, repo, d) {
			return true
		}
		if c.t.Failed() {
			break
		}
	}
	return false
}

// sender is a way to push a blob. It reports whether it was acknowledged.
type sender func(c *client, repo string, d digest.Digest) bool

var senders = []sender{docker, containerd, oras, chunked}

func whole(text string) *sent { return &sent{strings.NewReader(text), int64(len(text))} }

// stream is a body whose length the client does not tell.
func stream(text string) *sent { return &sent{strings.NewReader(text), -1} }

// begin is a POST. It returns where to send the blob.
func (c *client) begin(repo string) (at string, ok bool) {
	r := c.ask(http.MethodPost, "/v2/"+repo+"/blobs/uploads/", nil, nil)
	return r.header.Get("Location"), c.want(r, "", "POST", http.StatusAccepted)
}

func to(at string, d digest.Digest) string {
	separator := "?"
	if strings.Contains(at, "?") {
		separator = "&"
	}
	return at + separator + "digest=" + d.String()
}

// docker sends all of a blob by a PATCH of unknown length, and ends with an empty PUT.
func docker(c *client, repo string, d digest.Digest) bool {
	at, ok := c.begin(repo)
	if !ok {
		return false
	}
	r := c.ask(http.MethodPatch, at, nil, stream(c.world.Texts[d]))
	if !c.want(r, d, "PATCH", http.StatusAccepted) {
		return false
	}
	return c.finish(r.header.Get("Location"), d)
}

// finish is an empty PUT. Sometimes it is sent twice, as by a client that has lost the answer.
func (c *client) finish(at string, d digest.Digest) bool {
	r := c.ask(http.MethodPut, to(at, d), nil, nil)
	if c.rand.IntN(8) == 0 {
		excused := r.excused
		r = c.ask(http.MethodPut, to(at, d), nil, nil)
		r.excused = r.excused || excused
	}
	return c.want(r, d, "PUT", http.StatusCreated)
}

// containerd sends a blob with the PUT.
func containerd(c *client, repo string, d digest.Digest) bool {
	at, ok := c.begin(repo)
	if !ok {
		return false
	}
	r := c.ask(http.MethodPut, to(at, d), nil, whole(c.world.Texts[d]))
	return c.want(r, d, "PUT with the blob", http.StatusCreated)
}

// oras asks for a mount, and sends a blob where that can't be had.
func oras(c *client, repo string, d digest.Digest) bool {
	r := c.ask(http.MethodPost, fmt.Sprintf("/v2/%s/blobs/uploads/?mount=%s&from=%s", repo, d, pick(c.rand, c.world.Repos)), nil, nil)
	if !c.want(r, d, "mount", http.StatusCreated, http.StatusAccepted) || r.code == http.StatusCreated {
		return r.code == http.StatusCreated
	}
	r = c.ask(http.MethodPut, to(r.header.Get("Location"), d), nil, whole(c.world.Texts[d]))
	return c.want(r, d, "PUT with the blob", http.StatusCreated)
}

// chunked sends a blob in chunks, and goes on where the registry says after a failure: what was acknowledged
// is there.
func chunked(c *client, repo string, d digest.Digest) bool {
	text := c.world.Texts[d]
	at, ok := c.begin(repo)
	if !ok {
		return false
	}
	acked := 0
	for tries := 0; acked < len(text); {
		end := min(len(text), acked+1+c.rand.IntN(2*partSize))
		chunk := text[acked:end]
		body, cut := whole(chunk), c.rand.IntN(6) == 0
		if cut {
			body.Reader = io.MultiReader(strings.NewReader(chunk[:c.rand.IntN(len(chunk))]), failing{io.ErrUnexpectedEOF})
		}
		r := c.ask(http.MethodPatch, at, map[string]string{"Content-Range": fmt.Sprintf("%d-%d", acked, end-1)}, body)
		if !cut && r.code == http.StatusAccepted {
			at, acked = r.header.Get("Location"), end
			c.think(time.Minute)
			continue
		}
		// "0-0" is what the registry says of a byte, and of none.
		first := acked <= 1 && r.code == http.StatusRequestedRangeNotSatisfiable
		if !cut && !first && !c.want(r, d, "PATCH of a chunk", http.StatusAccepted) && c.t.Failed() {
			return false
		}
		if tries++; tries > 5 {
			return false
		}
		r = c.ask(http.MethodGet, at, nil, nil)
		if !c.want(r, d, "GET of an upload's state", http.StatusNoContent) {
			continue
		}
		at = r.header.Get("Location")
		there := 0
		if last := 0; r.header.Get("Range") != "" {
			if _, err := fmt.Sscanf(r.header.Get("Range"), "0-%d", &last); err != nil {
				c.fail([]digest.Digest{d}, "Range %q: %v", r.header.Get("Range"), err)
			}
			there = last + 1
			if last == 0 && acked == 0 {
				there = tries % 2
			}
		}
		if there < acked || there > end {
			c.fail([]digest.Digest{d}, "%s: an upload is at %d, of which %d were acknowledged and %d sent", c.name, there, acked, end)
			return false
		}
		acked = max(there, acked)
	}
	return c.finish(at, d)
}
