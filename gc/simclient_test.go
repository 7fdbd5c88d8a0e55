package gc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/internal/storm"
)

func newWorld(r *rand.Rand) (*storm.World, error) {
	var texts []string
	for i := range 5 {
		texts = append(texts, fmt.Sprintf("layer %d", i))
	}
	return storm.NewWorld(r, []string{"a", "b"}[:1+r.IntN(2)], []string{"v1", "v2"}[:1+r.IntN(2)], texts)
}

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
		repo, m := c.repo(), c.world.Some[c.rand.IntN(len(c.world.Some))]
		if c.rand.IntN(2) == 0 {
			c.think(c.age)
		} else if d, ok := c.condemned(); ok {
			for range 10 {
				if m.Names(d) {
					break
				}
				m = c.world.Some[c.rand.IntN(len(c.world.Some))]
			}
		}
		switch n := c.rand.IntN(100); {
		case n < 50:
			var tags []string
			if c.rand.IntN(3) > 0 {
				tags = []string{c.tag()}
			}
			c.push(repo, m, tags...)
		case n < 60:
			c.delete(repo, m)
		case n < 72:
			c.untag(repo, c.tag())
		case n < 75:
			c.unlink(repo, c.world.Layers[c.rand.IntN(len(c.world.Layers))].Digest)
		case n < 85:
			c.retag(repo, c.tag(), m)
		default:
			c.pull(repo, c.tag())
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

func (c *client) repo() string { return c.world.Repos[c.rand.IntN(len(c.world.Repos))] }
func (c *client) tag() string  { return c.world.Tags[c.rand.IntN(len(c.world.Tags))] }

// think takes a time that is mostly short.
func (c *client) think(most time.Duration) {
	f := c.rand.Float64()
	time.Sleep(time.Duration(f * f * f * float64(most)))
}

// ask sends a request to some replica. It reports whether something was done to it, so that it may
// fail.
func (c *client) ask(what string, do func(ctx context.Context, r *simReplica) error) (err error, hit bool) { //nolint:revive // as they belong together
	r := c.some(c.rand)
	ctx, q := r.Ask(c.t.Context())
	err = do(ctx, r)
	hit = q.Hit()
	c.tell("%s at %s: %s: %v%s", c.name, r.Name, what, err, map[bool]string{true: " (hit)"}[hit])
	return err, hit
}

// must is ask of what may fail only if something was done to it.
func (c *client) must(about digest.Digest, what string, do func(ctx context.Context, r *simReplica) error) error {
	err, hit := c.ask(what, do)
	if err != nil && !hit {
		c.fail([]digest.Digest{about}, "%s: %s: %v", c.name, what, err)
	}
	return err
}

// bound is how long a promise holds.
func (s *sim) bound() time.Duration { return s.wait * 3 / 4 }

// asks is the context of a client that wants to know what is there.
func asks(ctx context.Context, repo, kind string, d digest.Digest) context.Context {
	return blobstore.WithRequest(ctx, httptest.NewRequest(http.MethodHead, "/v2/"+repo+"/"+kind+"/"+d.String(), nil))
}

// push pushes m, and what of it the registry says it lacks. It reports whether that was acknowledged.
func (c *client) push(repo string, m *storm.Thing, tags ...string) bool {
	began := time.Now()
	var promised time.Time // the first
	note := func() {
		if promised.IsZero() {
			promised = time.Now()
		}
	}
	half := false // a child may be there without its layers
	for _, d := range m.Layers {
		if !c.pushBlob(repo, d) {
			return false
		}
		note()
		c.think(c.bound() / 2)
	}
	for _, child := range m.Children {
		err, hit := c.ask(fmt.Sprintf("HEAD %s@%s", repo, child.Name), func(ctx context.Context, r *simReplica) error {
			_, err := r.repository(repo).Read(asks(ctx, repo, "manifests", child.Digest), child.Digest)
			return err
		})
		if unknown := new(distribution.ErrManifestUnknownRevision); errors.As(err, unknown) {
			if !c.push(repo, child) {
				return false
			}
		} else if err != nil {
			if !hit {
				c.fail([]digest.Digest{child.Digest}, "HEAD of %s: %v", child.Name, err)
			}
			return false
		}
		note()
		half = half || c.halfThere(repo, child)
	}
	what := fmt.Sprintf("PUT %s@%s %v", repo, m.Name, tags)
	late := !promised.IsZero() && time.Since(promised) > c.bound()
	names := []string{storm.Revision(repo, m.Digest)}
	for _, tag := range tags {
		names = append(names, storm.TagName(repo, tag))
	}
	try := c.Begin(m.Digest, "", names...)
	err, hit := c.ask(what, func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Push(ctx, m.Manifest, tags...)
	})
	c.End(try, err == nil)
	if err != nil {
		if !hit && !late && !half && !c.lacks(repo, m, began) {
			c.fail(append(m.Layers, m.Digest), "%s began at %s with a promise of %s, and failed: %v", what, try.Start().UTC().Format("15:04:05"), promised.UTC().Format("15:04:05"), err)
		}
		return false
	}
	if _, ok := c.Kept(names[0], m.Digest); ok {
		r := c.fresh()
		c.mustBe(r, repo, m.Digest.String(), m, began)
		_ = r.store.Close()
	}
	return true
}

// halfThere reports whether a push that was given up may have left m without what it names.
func (s *sim) halfThere(repo string, m *storm.Thing) bool {
	if s.Unsure(storm.Revision(repo, m.Digest)) {
		return true
	}
	for _, d := range m.Layers {
		if s.deleted(storm.Layer(repo, d), time.Time{}) {
			return true
		}
	}
	for _, c := range m.Children {
		if s.halfThere(repo, c) || s.deleted(storm.Revision(repo, c.Digest), time.Time{}) {
			return true
		}
	}
	return false
}

// lacks reports whether clients have deleted something that m names since a time.
func (s *sim) lacks(repo string, m *storm.Thing, since time.Time) bool {
	for _, d := range m.Layers {
		if s.deleted(storm.Layer(repo, d), since) {
			return true
		}
	}
	for _, c := range m.Children {
		if s.deleted(storm.Revision(repo, c.Digest), since) || s.lacks(repo, c, since) {
			return true
		}
	}
	return false
}

// pushBlob pushes a blob unless it is there, in one of the ways that there are.
func (c *client) pushBlob(repo string, d digest.Digest) bool {
	what := fmt.Sprintf("%s/%s", repo, c.world.Short(d.Encoded()))
	err, hit := c.ask("HEAD "+what, func(ctx context.Context, r *simReplica) error {
		_, err := r.blobs(repo).Lookup(asks(ctx, repo, "blobs", d), d)
		return err
	})
	if err == nil {
		return true
	}
	if err != distribution.ErrBlobUnknown { //nolint:errorlint // as distribution does
		if !hit {
			c.fail([]digest.Digest{d}, "HEAD %s: %v", what, err)
		}
		return false
	}
	text := c.world.Texts[d]
	if other := c.repo(); other != repo {
		err, hit := c.ask("mount "+what, func(ctx context.Context, r *simReplica) error {
			named, err := reference.WithName(other)
			if err != nil {
				return err
			}
			from, err := reference.WithDigest(named, d)
			if err != nil {
				return err
			}
			_, err = r.blobs(repo).Mount(ctx, from)
			return err
		})
		if err == nil {
			return true
		}
		if err != distribution.ErrBlobUnknown { //nolint:errorlint // as distribution does
			if !hit {
				c.fail([]digest.Digest{d}, "mount %s: %v", what, err)
			}
			return false
		}
	}
	desc := v1.Descriptor{Digest: d, Size: int64(len(text))}
	switch c.rand.IntN(3) {
	case 0:
		err = c.must(d, "put "+what, func(ctx context.Context, r *simReplica) error {
			_, err := r.blobs(repo).Put(ctx, "", []byte(text))
			return err
		})
	case 1:
		err = c.must(d, "push "+what, func(ctx context.Context, r *simReplica) error {
			return r.blobs(repo).Push(ctx, desc, strings.NewReader(text))
		})
	default:
		err = c.must(d, "upload "+what, func(ctx context.Context, r *simReplica) error {
			w, err := r.blobs(repo).CreateWriter(ctx)
			if err != nil {
				return err
			}
			defer w.Close()
			if _, err := w.ReadFrom(strings.NewReader(text)); err != nil {
				return err
			}
			_, err = w.Commit(ctx, desc)
			return err
		})
	}
	return err == nil
}

func (c *client) delete(repo string, m *storm.Thing) {
	names := []string{storm.Revision(repo, m.Digest)}
	for _, tag := range c.world.Tags {
		names = append(names, storm.TagName(repo, tag))
	}
	try := c.Begin("", m.Digest, names...)
	err, hit := c.ask(fmt.Sprintf("DELETE %s@%s", repo, m.Name), func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Delete(ctx, m.Digest)
	})
	c.End(try, err == nil)
	if err != nil && err != distribution.ErrBlobUnknown && !hit { //nolint:errorlint // as distribution does
		c.fail([]digest.Digest{m.Digest}, "DELETE %s: %v", m.Name, err)
	}
}

func (c *client) untag(repo, tag string) {
	try := c.Begin("", "", storm.TagName(repo, tag))
	err, hit := c.ask(fmt.Sprintf("DELETE %s:%s", repo, tag), func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Tags().Untag(ctx, tag)
	})
	c.End(try, err == nil)
	if unknown := new(distribution.ErrTagUnknown); err != nil && !errors.As(err, unknown) && !hit {
		c.fail(nil, "DELETE %s:%s: %v", repo, tag, err)
	}
}

// unlink deletes a repository's link to a layer.
func (c *client) unlink(repo string, d digest.Digest) {
	try := c.Begin("", "", storm.Layer(repo, d))
	err, hit := c.ask(fmt.Sprintf("DELETE %s/%s", repo, c.world.Short(d.Encoded())), func(ctx context.Context, r *simReplica) error {
		return r.blobs(repo).Delete(ctx, d)
	})
	c.End(try, err == nil)
	if err != nil && err != distribution.ErrBlobUnknown && !hit { //nolint:errorlint // as distribution does
		c.fail([]digest.Digest{d}, "DELETE %s: %v", d, err)
	}
}

// retag tags what is there already, without pushing it again.
func (c *client) retag(repo, tag string, m *storm.Thing) {
	began := time.Now()
	err, _ := c.ask(fmt.Sprintf("HEAD %s@%s", repo, m.Name), func(ctx context.Context, r *simReplica) error {
		_, err := r.repository(repo).Read(asks(ctx, repo, "manifests", m.Digest), m.Digest)
		return err
	})
	if err != nil {
		return
	}
	c.think(c.bound() / 2)
	try := c.Begin(m.Digest, "", storm.TagName(repo, tag))
	err, hit := c.ask(fmt.Sprintf("tag %s:%s %s", repo, tag, m.Name), func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Tags().Tag(ctx, tag, m.Manifest.Descriptor())
	})
	// What is not there any more, or only half of it, can be tagged all the same.
	sound := !c.halfThere(repo, m) && !c.lacks(repo, m, began) && !c.deleted(storm.Revision(repo, m.Digest), began)
	if err == nil && (!sound || hit) {
		c.End(try, false) // not to be counted on
		return
	}
	c.End(try, err == nil)
	if err != nil && !hit && sound {
		c.fail([]digest.Digest{m.Digest}, "tag %s:%s %s: %v", repo, tag, m.Name, err)
	}
}

func (c *client) pull(repo, tag string) {
	for _, m := range c.world.All {
		since, ok := c.Kept(storm.TagName(repo, tag), m.Digest)
		if !ok {
			continue
		}
		var about []digest.Digest
		err, hit := c.ask(fmt.Sprintf("pull %s:%s", repo, tag), func(ctx context.Context, r *simReplica) (err error) {
			about, err = c.read(ctx, r.replica, repo, tag, m, since)
			return err
		})
		if _, still := c.Kept(storm.TagName(repo, tag), m.Digest); err != nil && !hit && still {
			c.fail(about, "pull of %s:%s: %v", repo, tag, err)
		}
		return
	}
}
