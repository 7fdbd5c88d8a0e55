package check

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
)

// repository is one repository's links, as they were listed.
type repository struct {
	*run
	name              string
	layers, revisions map[digest.Digest]*link
	tarSums           map[string]*link
	tags              map[string]*tag
	uploads           map[string]time.Time // folders, by when they were last touched
	proven            int64                // links that need not be read
	unripe            int64                // links too young to be judged

	pending sync.Mutex             // of what follows
	todo    []digest.Digest        // manifests to look at
	seen    map[digest.Digest]bool // manifests that were or will be looked at
	told    map[digest.Digest]bool // to be broken or not linked, though a manifest refers to it
}

type tag struct {
	current *link // nil when there is none
	index   map[digest.Digest]*link
}

func (r *run) newRepository(name string) *repository {
	return &repository{
		run: r, name: name, layers: make(map[digest.Digest]*link), revisions: make(map[digest.Digest]*link),
		tarSums: make(map[string]*link), tags: make(map[string]*tag), uploads: make(map[string]time.Time),
		seen: make(map[digest.Digest]bool), told: make(map[digest.Digest]bool),
	}
}

// add takes a key that is the repository's.
func (p *repository) add(n layout.Name, o driver.Object) {
	switch n.Kind {
	case layout.Referrer:
		return // it may be gone: what lists referrers reads them
	case layout.SignatureLink:
		p.blobs.mark(n.Digest, linked)
		return
	}
	l := &link{young: p.young(o.ModTime)}
	if !l.young && survey.Proven(o, n.Digest) {
		l.read, l.says = true, n.Digest
		p.proven++
	}
	if l.young && n.Kind != layout.Upload {
		p.unripe++
	}
	switch n.Kind {
	case layout.LayerLink:
		p.layers[n.Digest] = l
		p.blobs.mark(n.Digest, linked)
	case layout.TarSumLink:
		p.tarSums[n.TarSum] = l
	case layout.RevisionLink:
		p.revisions[n.Digest] = l
		p.blobs.mark(n.Digest, linked)
	case layout.TagLink:
		p.tag(n.Tag).current = l
	case layout.TagIndexLink:
		p.tag(n.Tag).index[n.Digest] = l
	case layout.Upload:
		if o.ModTime.After(p.uploads[n.Dir]) {
			p.uploads[n.Dir] = o.ModTime
		}
	}
}

func (p *repository) tag(name string) *tag {
	if p.tags[name] == nil {
		p.tags[name] = &tag{index: make(map[digest.Digest]*link)}
	}
	return p.tags[name]
}

// each calls do for all items, some at a time.
func each[T any](ctx context.Context, limit int, items iter.Seq[T], do func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for it := range items {
		g.Go(func() error { return do(ctx, it) })
	}
	return g.Wait()
}

// check finds all that is wrong with the repository.
func (p *repository) check(ctx context.Context) error {
	if err := p.checkUploads(ctx); err != nil {
		return err
	}
	// Uploads may be in folders that are no repository's.
	if len(p.layers)+len(p.tarSums)+len(p.revisions)+len(p.tags) == 0 {
		return nil
	}
	p.count(func(s *Summary) Progress {
		s.Repositories++
		s.Links += p.proven
		s.Young += p.unripe
		return Progress{Repositories, s.Links, s.Links}
	})
	if err := p.checkName(ctx); err != nil {
		return err
	}
	if err := p.readLinks(ctx); err != nil {
		return err
	}
	n := p.options.Concurrency
	if err := each(ctx, n, maps.Keys(p.tags), p.checkTag); err != nil {
		return err
	}
	for d, l := range p.revisions {
		if l.there() && !l.young {
			p.enqueue(d)
		}
	}
	for len(p.todo) > 0 {
		batch := p.todo
		p.todo = nil
		if err := each(ctx, n, slices.Values(batch), p.checkManifest); err != nil {
			return err
		}
	}
	if err := each(ctx, n, maps.Keys(p.layers), p.checkLayer); err != nil {
		return err
	}
	return each(ctx, n, maps.Keys(p.tarSums), p.checkTarSum)
}

func (p *repository) checkName(ctx context.Context) error {
	if _, err := reference.WithName(p.name); err != nil {
		f := Finding{Kind: RepositoryName, Key: p.layout.Repository(p.name), Repository: p.name, Detail: err.Error()}
		return p.found(ctx, f, nil)
	}
	return nil
}

func (p *repository) checkUploads(ctx context.Context) error {
	for dir, at := range p.uploads {
		if at.After(p.now.Add(-abandoned)) {
			continue
		}
		detail := "last touched " + at.UTC().Format(time.RFC3339)
		if err := p.found(ctx, Finding{Kind: UploadAbandoned, Key: dir, Repository: p.name, Detail: detail}, nil); err != nil {
			return err
		}
	}
	return nil
}

// readLinks reads all links that need it.
func (p *repository) readLinks(ctx context.Context) error {
	return each(ctx, p.options.Concurrency, p.links(), func(ctx context.Context, at place) error {
		got, err := p.readLink(ctx, at.key)
		if err != nil {
			return err
		}
		if got.says != "" && got.says == at.digest {
			got.says, got.etag = at.digest, "" // nearly all are right, and need not be kept twice
		}
		*at.link = got
		p.count(func(s *Summary) Progress {
			s.Links++
			return Progress{Repositories, s.Links, s.Links}
		})
		return nil
	})
}

// place is where a link is, and what it should say, "" when that is not known.
type place struct {
	link   *link
	key    string
	digest digest.Digest
}

// links are all links that are to be read.
func (p *repository) links() iter.Seq[place] {
	return func(yield func(place) bool) {
		one := func(l *link, key func() string, d digest.Digest) bool {
			return l == nil || l.young || l.read || yield(place{l, key(), d})
		}
		for d, l := range p.layers {
			if !one(l, func() string { return p.layout.LayerLink(p.name, d) }, d) {
				return
			}
		}
		for tarSum, l := range p.tarSums {
			if !one(l, func() string { return p.layout.TarSumLink(p.name, tarSum) }, "") {
				return
			}
		}
		for d, l := range p.revisions {
			if !one(l, func() string { return p.layout.RevisionLink(p.name, d) }, d) {
				return
			}
		}
		for name, t := range p.tags {
			if !one(t.current, func() string { return p.layout.TagLink(p.name, name) }, "") {
				return
			}
			for d, l := range t.index {
				if !one(l, func() string { return p.layout.TagIndexLink(p.name, name, d) }, d) {
					return
				}
			}
		}
	}
}

// checkLayer looks at one link to a blob.
func (p *repository) checkLayer(ctx context.Context, d digest.Digest) error {
	l := p.layers[d]
	if !l.there() || l.young {
		return nil
	}
	_, state, err := p.look(ctx, l.target(d))
	if err != nil {
		return err
	}
	if !l.right(d, true) {
		return p.wrong(ctx, l, d, p.layout.LayerLink(p.name, d), nil, state == "")
	}
	p.blobs.mark(l.target(d), linked)
	if state != isMissing || p.told[d] {
		return nil
	}
	return p.found(ctx, Finding{Kind: LayerDangling, Key: p.layout.LayerLink(p.name, d), Repository: p.name, Digest: d}, nil)
}

// checkTarSum looks at the link from a tarsum to a layer. What is wrong with the layer is told of its
// own link.
func (p *repository) checkTarSum(ctx context.Context, tarSum string) error {
	l := p.tarSums[tarSum]
	if !l.there() || l.young {
		return nil
	}
	f := Finding{Key: p.layout.TarSumLink(p.name, tarSum), Repository: p.name, Digest: l.says}
	switch {
	case l.says == "":
		f.Kind, f.Detail = l.wrong()
	case p.layers[l.says].there():
		return nil
	default:
		since, err := p.changed(ctx, f, p.layout.LayerLink(p.name, l.says))
		if err != nil || since {
			return err
		}
		f.Kind, f.Detail = TarSumDangling, "the repository does not have "+l.says.String()
	}
	return p.found(ctx, f, nil)
}

// wrong tells of a link whose key says d, and it does not.
func (p *repository) wrong(ctx context.Context, l *link, d digest.Digest, key string, tags []string, repairable bool) error {
	f := Finding{Key: key, Repository: p.name, Digest: d, Tags: tags}
	f.Kind, f.Detail = l.wrong()
	if !repairable {
		return p.found(ctx, f, nil)
	}
	return p.found(ctx, f, &repair{key: key, digest: d, was: l.etag})
}

// tagsOf are the tags that name the manifest d.
func (p *repository) tagsOf(d digest.Digest) []string {
	var names []string
	for name, t := range p.tags {
		if t.current.there() && t.current.says == d {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
