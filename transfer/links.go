package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// link is one that the source has.
type link struct {
	layout.Name
	key   string // in the source
	there bool   // the destination has one, too
}

// order is that in which links are copied: each kind needs those before it.
var order = []layout.Kind{layout.LayerLink, layout.TarSumLink, layout.RevisionLink, layout.SignatureLink, layout.Referrer, layout.TagIndexLink, layout.TagLink}

// batch is how many links are put into order at a time. In the order of keys a
// repository's layers come before its manifests, and these before its tags, so that
// a batch only needs those before it.
const batch = 2000

// links copies the links that keys has, and returns how many there are. With whole
// the blobs of those that are in the destination are taken to be there, too.
func (c *copier) links(ctx context.Context, keys iter.Seq2[found, error], whole bool) (n int64, err error) {
	var pending []link
	for f, err := range keys {
		if err != nil {
			return n, err
		}
		name, ok := c.read(f.src.Key)
		if !ok {
			continue
		}
		n++
		pending = append(pending, link{name, f.src.Key, f.same()})
		if len(pending) < batch {
			continue
		}
		// What a tag is has a key before what it was.
		var open []link
		if i := slices.IndexFunc(pending, func(l link) bool {
			return l.Kind == layout.TagLink && l.Repo == name.Repo && l.Tag == name.Tag
		}); i >= 0 {
			open = []link{pending[i]}
			pending = slices.Delete(pending, i, i+1)
		}
		if err := c.inOrder(ctx, pending, whole); err != nil {
			return n, err
		}
		pending = append(pending[:0], open...)
	}
	return n, c.inOrder(ctx, pending, whole)
}

// inOrder copies links, kind by kind.
func (c *copier) inOrder(ctx context.Context, links []link, whole bool) error {
	for _, kind := range order {
		var g errgroup.Group
		g.SetLimit(c.options.Concurrency)
		for _, l := range links {
			if l.Kind != kind || ctx.Err() != nil {
				continue
			}
			g.Go(func() error {
				c.link(ctx, l, whole)
				return nil
			})
		}
		_ = g.Wait()
	}
	return ctx.Err()
}

// link copies l. Errors are reported.
func (c *copier) link(ctx context.Context, l link, whole bool) {
	key := c.theirs(l.key)
	if l.there && whole && (c.again || l.Kind != layout.TagLink) {
		c.here(key)
		return
	}
	target, err := c.target(ctx, c.src, l.key)
	switch {
	case errors.Is(err, driver.NotFound):
		return // deleted since it was listed
	case err != nil:
		_ = c.failRead(ctx, l.key, err)
		return
	case l.Kind == layout.TagLink:
		r := c.repository(l.Repo)
		r.tag(ctx, l.Tag, target, l.there, r.has)
		return
	}
	// A referrer is looked up when it is listed, so that it may be gone.
	if l.Kind != layout.Referrer {
		if err := c.blob(ctx, target); err != nil {
			c.leaveOut(l.Name, l.key, target, fmt.Errorf("blob %s: %w", target, err))
			return
		}
	}
	if l.there {
		c.here(key)
		return
	}
	_ = c.put(ctx, key, target, func(s *Summary) { s.Links++ })
}

// here counts a link that the destination has.
func (c *copier) here(key string) {
	c.present.Add(key, struct{}{})
	c.count(func(s *Summary) { s.LinksThere++ })
}

// leaveOut counts a link that is not copied, because of what it links to. Why that
// is not there has been reported, unless nobody has it: then the first such link of a repository
// is. Of the others, and of those whose reason has been reported, the tags are named.
func (c *copier) leaveOut(l layout.Name, key string, target digest.Digest, err error) {
	switch {
	case errors.Is(err, errAbsent) && c.firstLost(l.Repo, target):
		c.tell(Dangling, key, err)
	case l.Kind == layout.TagLink:
		c.tell(LeftOut, key, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.LeftOut++
}

// target reads a link. Errors are not reported; Corrupt when it has no digest.
func (c *copier) target(ctx context.Context, s side, key string) (digest.Digest, error) {
	r, err := s.open(ctx, key)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, layout.MaxLink))
	if err != nil {
		return "", err
	}
	d := digest.Digest(b)
	if err := d.Validate(); err != nil {
		return "", fmt.Errorf("no digest: %w: %w", driver.Corrupt, err)
	}
	return d, nil
}

// put writes a link into the destination, and adds it to the summary. Errors are
// reported.
func (c *copier) put(ctx context.Context, key string, d digest.Digest, add func(*Summary)) error {
	if !c.options.DryRun {
		body := io.NewSectionReader(strings.NewReader(string(d)), 0, int64(len(d)))
		if _, err := c.dst.bucket.Put(ctx, key, body, driver.WriteOptions{ContentType: contentType}); err != nil {
			return c.fail(ctx, key, err)
		}
	}
	c.present.Add(key, struct{}{})
	c.count(add)
	return nil
}

// contentType is what links have, as in distribution.
const contentType = "application/octet-stream"
