package gc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/manifests"
)

// thing is a manifest that clients push.
type thing struct {
	name     string
	manifest *manifests.Manifest
	digest   digest.Digest
	layers   []digest.Digest
	children []*thing
	subject  *thing
}

// contents calls note with what is needed to pull a thing, of children that the repository has no link
// to as well.
func (m *thing) contents(note func(digest.Digest)) {
	note(m.digest)
	for _, d := range m.layers {
		note(d)
	}
	for _, c := range m.children {
		c.contents(note)
	}
}

// world is all that there is to push. It is little, so that clients need what others have deleted.
type world struct {
	repos, tags []string
	layers      []v1.Descriptor
	texts       map[digest.Digest]string
	all         []*thing // children and subjects first
	some        []*thing // that this seed begins with
	names       *strings.Replacer
}

func newWorld(t testing.TB, r *rand.Rand) *world {
	w := &world{repos: []string{"a", "b"}[:1+r.IntN(2)], tags: []string{"v1", "v2"}[:1+r.IntN(2)], texts: make(map[digest.Digest]string)}
	var names []string
	for i := range 5 {
		text := fmt.Sprintf("layer %d", i)
		d := digest.FromString(text)
		w.layers = append(w.layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: d, Size: int64(len(text))})
		w.texts[d] = text
		names = append(names, d.Encoded(), fmt.Sprintf("<layer %d>", i))
	}
	add := func(name string, m *manifests.Manifest, children []*thing, subject *thing) *thing {
		n := &thing{name: name, manifest: m, digest: m.Descriptor().Digest, children: children, subject: subject}
		if children == nil {
			for _, ref := range m.References() {
				n.layers = append(n.layers, ref.Digest)
			}
		}
		w.all = append(w.all, n)
		names = append(names, n.digest.Encoded(), "<"+name+">")
		return n
	}
	image := func(name string, subject *thing, layers ...int) *thing {
		var all []v1.Descriptor
		for _, i := range layers {
			all = append(all, w.layers[i])
		}
		return add(name, manifest(t, func(m *v1.Manifest) {
			if m.Annotations = map[string]string{"name": name}; subject != nil {
				d := subject.manifest.Descriptor()
				m.Subject = &d
			}
		}, all...), nil, subject)
	}
	index := func(name string, children ...*thing) *thing {
		x := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
		for _, c := range children {
			x.Manifests = append(x.Manifests, c.manifest.Descriptor())
		}
		return add(name, parse(t, x.MediaType, x), children, nil)
	}
	one, two, three := image("one", nil, 0, 1), image("two", nil, 1, 2), image("three", nil, 3)
	pair := index("pair", one, two)
	index("nested", pair, three)
	image("referrer", one, 4)
	image("referrer of pair", pair, 0)
	for range 1 + r.IntN(4) {
		w.some = append(w.some, w.all[r.IntN(len(w.all))])
	}
	w.names = strings.NewReplacer(names...)
	return w
}

func (w *world) short(text string) string { return w.names.Replace(text) }

// What clients change has names.
func tagName(repo, tag string) string              { return repo + ":" + tag }
func revision(repo string, d digest.Digest) string { return repo + "@" + d.String() }
func layer(repo string, d digest.Digest) string    { return repo + "/" + d.String() }

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
		repo, m := c.repo(), c.world.some[c.rand.IntN(len(c.world.some))]
		if c.rand.IntN(2) == 0 {
			c.think(c.age)
		} else if d, ok := c.condemned(); ok {
			for range 10 {
				if m.names(d) {
					break
				}
				m = c.world.some[c.rand.IntN(len(c.world.some))]
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
			c.unlink(repo, c.world.layers[c.rand.IntN(len(c.world.layers))].Digest)
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

// names reports whether m or what it names has a digest.
func (m *thing) names(d digest.Digest) bool {
	return m.digest == d || slices.Contains(m.layers, d) || slices.ContainsFunc(m.children, func(c *thing) bool { return c.names(d) })
}

func (c *client) repo() string { return c.world.repos[c.rand.IntN(len(c.world.repos))] }
func (c *client) tag() string  { return c.world.tags[c.rand.IntN(len(c.world.tags))] }

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
func (c *client) push(repo string, m *thing, tags ...string) bool {
	began := time.Now()
	var promised time.Time // the first
	note := func() {
		if promised.IsZero() {
			promised = time.Now()
		}
	}
	half := false // a child may be there without its layers
	for _, d := range m.layers {
		if !c.pushBlob(repo, d) {
			return false
		}
		note()
		c.think(c.bound() / 2)
	}
	for _, child := range m.children {
		err, hit := c.ask(fmt.Sprintf("HEAD %s@%s", repo, child.name), func(ctx context.Context, r *simReplica) error {
			_, err := r.repository(repo).Read(asks(ctx, repo, "manifests", child.digest), child.digest)
			return err
		})
		if unknown := new(distribution.ErrManifestUnknownRevision); errors.As(err, unknown) {
			if !c.push(repo, child) {
				return false
			}
		} else if err != nil {
			if !hit {
				c.fail([]digest.Digest{child.digest}, "HEAD of %s: %v", child.name, err)
			}
			return false
		}
		note()
		half = half || c.halfThere(repo, child)
	}
	what := fmt.Sprintf("PUT %s@%s %v", repo, m.name, tags)
	late := !promised.IsZero() && time.Since(promised) > c.bound()
	names := []string{revision(repo, m.digest)}
	for _, tag := range tags {
		names = append(names, tagName(repo, tag))
	}
	try := c.Begin(m.digest, "", names...)
	err, hit := c.ask(what, func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Push(ctx, m.manifest, tags...)
	})
	c.End(try, err == nil)
	if err != nil {
		if !hit && !late && !half && !c.lacks(repo, m, began) {
			c.fail(append(m.layers, m.digest), "%s began at %s with a promise of %s, and failed: %v", what, try.Start().UTC().Format("15:04:05"), promised.UTC().Format("15:04:05"), err)
		}
		return false
	}
	if _, ok := c.Kept(names[0], m.digest); ok {
		r := c.fresh()
		c.mustBe(r, repo, m.digest.String(), m, began)
		_ = r.store.Close()
	}
	return true
}

// halfThere reports whether a push that was given up may have left m without what it names.
func (s *sim) halfThere(repo string, m *thing) bool {
	if s.Unsure(revision(repo, m.digest)) {
		return true
	}
	for _, d := range m.layers {
		if s.deleted(layer(repo, d), time.Time{}) {
			return true
		}
	}
	for _, c := range m.children {
		if s.halfThere(repo, c) || s.deleted(revision(repo, c.digest), time.Time{}) {
			return true
		}
	}
	return false
}

// lacks reports whether clients have deleted something that m names since a time.
func (s *sim) lacks(repo string, m *thing, since time.Time) bool {
	for _, d := range m.layers {
		if s.deleted(layer(repo, d), since) {
			return true
		}
	}
	for _, c := range m.children {
		if s.deleted(revision(repo, c.digest), since) || s.lacks(repo, c, since) {
			return true
		}
	}
	return false
}

// pushBlob pushes a blob unless it is there, in one of the ways that there are.
func (c *client) pushBlob(repo string, d digest.Digest) bool {
	what := fmt.Sprintf("%s/%s", repo, c.world.short(d.Encoded()))
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
	text := c.world.texts[d]
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

func (c *client) delete(repo string, m *thing) {
	names := []string{revision(repo, m.digest)}
	for _, tag := range c.world.tags {
		names = append(names, tagName(repo, tag))
	}
	try := c.Begin("", m.digest, names...)
	err, hit := c.ask(fmt.Sprintf("DELETE %s@%s", repo, m.name), func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Delete(ctx, m.digest)
	})
	c.End(try, err == nil)
	if err != nil && err != distribution.ErrBlobUnknown && !hit { //nolint:errorlint // as distribution does
		c.fail([]digest.Digest{m.digest}, "DELETE %s: %v", m.name, err)
	}
}

func (c *client) untag(repo, tag string) {
	try := c.Begin("", "", tagName(repo, tag))
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
	try := c.Begin("", "", layer(repo, d))
	err, hit := c.ask(fmt.Sprintf("DELETE %s/%s", repo, c.world.short(d.Encoded())), func(ctx context.Context, r *simReplica) error {
		return r.blobs(repo).Delete(ctx, d)
	})
	c.End(try, err == nil)
	if err != nil && err != distribution.ErrBlobUnknown && !hit { //nolint:errorlint // as distribution does
		c.fail([]digest.Digest{d}, "DELETE %s: %v", d, err)
	}
}

// retag tags what is there already, without pushing it again.
func (c *client) retag(repo, tag string, m *thing) {
	began := time.Now()
	err, _ := c.ask(fmt.Sprintf("HEAD %s@%s", repo, m.name), func(ctx context.Context, r *simReplica) error {
		_, err := r.repository(repo).Read(asks(ctx, repo, "manifests", m.digest), m.digest)
		return err
	})
	if err != nil {
		return
	}
	c.think(c.bound() / 2)
	try := c.Begin(m.digest, "", tagName(repo, tag))
	err, hit := c.ask(fmt.Sprintf("tag %s:%s %s", repo, tag, m.name), func(ctx context.Context, r *simReplica) error {
		return r.repository(repo).Tags().Tag(ctx, tag, m.manifest.Descriptor())
	})
	// What is not there any more, or only half of it, can be tagged all the same.
	sound := !c.halfThere(repo, m) && !c.lacks(repo, m, began) && !c.deleted(revision(repo, m.digest), began)
	if err == nil && (!sound || hit) {
		c.End(try, false) // not to be counted on
		return
	}
	c.End(try, err == nil)
	if err != nil && !hit && sound {
		c.fail([]digest.Digest{m.digest}, "tag %s:%s %s: %v", repo, tag, m.name, err)
	}
}

func (c *client) pull(repo, tag string) {
	for _, m := range c.world.all {
		since, ok := c.Kept(tagName(repo, tag), m.digest)
		if !ok {
			continue
		}
		var about []digest.Digest
		err, hit := c.ask(fmt.Sprintf("pull %s:%s", repo, tag), func(ctx context.Context, r *simReplica) (err error) {
			about, err = c.read(ctx, r.replica, repo, tag, m, since)
			return err
		})
		if _, still := c.Kept(tagName(repo, tag), m.digest); err != nil && !hit && still {
			c.fail(about, "pull of %s:%s: %v", repo, tag, err)
		}
		return
	}
}
