package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
)

// atOnce is how many repositories are held in memory. They share the requests.
const atOnce = 16

// ids is a set of few.
type ids map[survey.ID]struct{}

func (s ids) has(id survey.ID) bool {
	_, ok := s[id]
	return ok
}

func (s ids) list() []survey.ID {
	list := make([]survey.ID, 0, len(s))
	for id := range s {
		list = append(list, id)
	}
	return list
}

// repository is one repository.
type repository struct {
	*run
	name              string
	layers, revisions map[survey.ID]digest.Digest
	signatures        map[survey.ID][]survey.ID // of manifests
	tags, tarSums     []survey.Key
	sums              survey.Sums // of manifests and layers
	index             int         // entries of tags' histories
	links             Count
	uploads           map[string]*upload // by folder

	mu      sync.Mutex
	unclear bool                    // not all is known of what the manifests and tags name
	aliases map[survey.ID]survey.ID // links to blobs by another algorithm
	named   map[survey.ID]digest.Digest
	summed  ids // layers that have a tarsum
	read    map[survey.ID]*survey.Manifest
}

// repositories looks at all repositories, some at a time, while it lists them.
func (r *run) repositories(ctx context.Context) error {
	listing := func(yield func(driver.Entry, error) bool) {
		done := int64(0)
		for e, err := range driver.List(ctx, r.bucket, driver.ListRequest{Prefix: r.layout.Repositories()}) {
			if err != nil {
				err = fmt.Errorf("repositories: %w", err)
			}
			done++
			r.mu.Lock()
			r.options.Progress(Progress{Repositories, done})
			r.mu.Unlock()
			if !yield(e, err) {
				return
			}
		}
	}
	strange := func(_ context.Context, o driver.Object) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.report.Others.add(o.Size)
		return nil
	}
	return survey.Walk(ctx, r.layout, r.teams.watch(listing), min(atOnce, r.options.Concurrency), strange, r.visit)
}

// visit counts what a repository has.
func (r *run) visit(ctx context.Context, name string, keys []survey.Key) error {
	defer r.teams.done(teamOf(name))
	p := &repository{
		run: r, name: name, layers: make(map[survey.ID]digest.Digest), revisions: make(map[survey.ID]digest.Digest),
		signatures: make(map[survey.ID][]survey.ID), sums: make(survey.Sums), uploads: make(map[string]*upload), aliases: make(map[survey.ID]survey.ID),
		named: make(map[survey.ID]digest.Digest), summed: make(ids), read: make(map[survey.ID]*survey.Manifest),
	}
	for _, k := range keys {
		p.add(k)
	}
	if err := p.readLinks(ctx); err != nil {
		return fmt.Errorf("repository %s: %w", name, err)
	}
	if err := p.readManifests(ctx); err != nil {
		return fmt.Errorf("repository %s: %w", name, err)
	}
	p.count()
	return nil
}

func (p *repository) add(k survey.Key) {
	if k.Kind == layout.Upload {
		if p.uploads[k.Dir] == nil {
			p.uploads[k.Dir] = new(upload)
		}
		p.uploads[k.Dir].add(k.Object)
		return
	}
	p.links.add(k.Object.Size)
	switch k.Kind {
	case layout.LayerLink:
		p.layers[p.digests.ID(k.Digest)] = k.Digest
		p.sums.Add(k.Digest)
	case layout.TarSumLink:
		p.tarSums = append(p.tarSums, k)
	case layout.RevisionLink:
		p.revisions[p.digests.ID(k.Digest)] = k.Digest
		p.sums.Add(k.Digest)
	case layout.SignatureLink:
		subject := p.digests.ID(k.Subject)
		p.signatures[subject] = append(p.signatures[subject], p.digests.ID(k.Digest))
	case layout.TagLink:
		p.tags = append(p.tags, k)
	case layout.TagIndexLink:
		p.index++
	}
}

// readLinks finds out what the tags name, which layers have a tarsum, and what the links to blobs
// name that the bucket has not by the links' own digests: distribution links a blob that is pushed
// by sha512 to its sha256.
func (p *repository) readLinks(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(p.options.Concurrency)
	names := func(links []survey.Key, note func(survey.ID, digest.Digest)) {
		for _, k := range links {
			if d, ok := p.sums.Find(k.Object); ok {
				p.mu.Lock()
				note(p.digests.ID(d), d)
				p.mu.Unlock()
				continue
			}
			g.Go(func() error { return p.readLink(gctx, k.Object.Key, note) })
		}
	}
	names(p.tags, func(id survey.ID, d digest.Digest) { p.named[id] = d })
	names(p.tarSums, func(id survey.ID, _ digest.Digest) {
		if _, ok := p.layers[id]; ok { // or it was deleted
			p.summed[id] = struct{}{}
		}
	})
	for id, d := range p.layers {
		if d.Algorithm() != digest.SHA256 && p.blobs.get(id) == nil {
			g.Go(func() error {
				return p.readLink(gctx, p.layout.LayerLink(p.name, d), func(to survey.ID, _ digest.Digest) { p.aliases[id] = to })
			})
		}
	}
	return g.Wait()
}

// readLink calls note with what the link at key holds, if it is there and holds a digest.
func (p *repository) readLink(ctx context.Context, key string, note func(survey.ID, digest.Digest)) error {
	d, err := p.manifests.Link(ctx, key)
	switch {
	case errors.Is(err, driver.NotFound):
		return nil // since it was listed
	case err != nil:
		return err
	case d == "":
		p.mu.Lock()
		p.unclear = true
		p.mu.Unlock()
		p.run.mu.Lock()
		defer p.run.mu.Unlock()
		p.fault(Fault{LinkMalformed, key, p.name, "it holds no digest"})
		return nil
	}
	id := p.digests.ID(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	note(id, d)
	return nil
}

// readManifests reads the repository's manifests, those that its tags name, and those that these
// name.
func (p *repository) readManifests(ctx context.Context) error {
	linked := make(map[digest.Digest]bool, len(p.revisions))
	for _, some := range []map[survey.ID]digest.Digest{p.revisions, p.named} {
		for _, d := range some {
			linked[d] = true
		}
	}
	read, err := p.manifests.Closure(ctx, slices.Collect(maps.Keys(linked)), func(d digest.Digest) digest.Digest { return d })
	if err != nil {
		return err
	}
	for d, m := range read {
		id := p.digests.ID(d)
		p.read[id] = m
		if m.Fault != "" && linked[d] {
			p.unclear = true
			p.malformed(id, d, m.Fault)
		}
	}
	return nil
}

// malformed tells, once, of a manifest.
func (p *repository) malformed(id survey.ID, d digest.Digest, detail string) {
	p.run.mu.Lock()
	defer p.run.mu.Unlock()
	if !p.faulty.Has(id) {
		p.faulty.Add(id)
		p.fault(Fault{ManifestMalformed, p.layout.Blob(d), p.name, detail})
	}
}

// tagged are the manifests that tags reach: those that they name, those that reached indexes
// name, and referrers of reached ones. Referrers whose subject is not there count as reached.
func (p *repository) tagged() ids {
	referrers := make(map[survey.ID][]survey.ID) // by subject
	reached := make(ids)
	var todo []survey.ID
	reach := func(id survey.ID) {
		if p.read[id] != nil && !reached.has(id) {
			reached[id] = struct{}{}
			todo = append(todo, id)
		}
	}
	for id, m := range p.read {
		if !m.HasSubject {
			continue
		}
		referrers[m.Subject] = append(referrers[m.Subject], id)
		if p.read[m.Subject] == nil {
			reach(id)
		}
	}
	for id := range p.named {
		reach(id)
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, child := range p.read[id].Children {
			reach(child)
		}
		for _, referrer := range referrers[id] {
			reach(referrer)
		}
	}
	return reached
}

// withNamed are manifests and what they name, and the layers that have a tarsum.
func (p *repository) withNamed(manifests ids) ids {
	all := make(ids, len(manifests))
	note := func(id survey.ID) {
		all[id] = struct{}{}
		if to, ok := p.aliases[id]; ok {
			all[to] = struct{}{}
		}
	}
	for id := range p.summed {
		note(id)
	}
	for id := range manifests {
		note(id)
		for _, signature := range p.signatures[id] {
			note(signature)
		}
		for _, ref := range p.read[id].Blobs {
			note(ref)
		}
		for _, ref := range p.read[id].Children {
			note(ref)
		}
	}
	return all
}

// count adds the repository to the report.
func (p *repository) count() {
	tagged := p.tagged()
	all := make(ids, len(p.read))
	for id := range p.read {
		all[id] = struct{}{}
	}
	has, reached := p.withNamed(all), p.withNamed(tagged)
	p.live.Add(has.list()...)
	for id := range p.layers {
		has[id] = struct{}{}
	}
	for _, to := range p.aliases {
		has[to] = struct{}{}
	}
	if p.unclear { // what is not understood may name any of them
		p.live.Add(has.list()...)
		for id := range p.layers {
			reached[id] = struct{}{}
		}
	}
	p.run.tagged.Add(reached.list()...)
	untagged := int64(0)
	for id := range p.revisions {
		if !tagged.has(id) {
			untagged++
		}
	}

	r := p.run
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range p.uploads {
		r.countUpload(*u)
	}
	r.report.Links.Objects += p.links.Objects
	r.report.Links.Bytes += p.links.Bytes
	// Uploads, and what is left of referrers, may be in folders that are no repository's.
	if len(p.layers)+len(p.revisions)+len(p.tags)+p.index == 0 {
		return
	}
	r.report.Untagged.Manifests += untagged
	p.own(has, untagged)
}

// own has the repository and its team be owners of blobs.
func (p *repository) own(has ids, untagged int64) {
	x := &p.owners
	x.repositories = append(x.repositories, Usage{Name: p.name})
	id, teamID := owner(len(x.repositories)), x.team(teamOf(p.name))
	u, of := &x.repositories[id-1], &x.teams[teamID-1]
	for _, u := range []*Usage{u, of} {
		u.Repositories++
		u.Manifests += int64(len(p.revisions))
		u.Untagged += untagged
		u.Tags += int64(len(p.tags))
	}
	open := p.teams.get(teamOf(p.name))
	for blobID := range has {
		b := p.blobs.get(blobID)
		if b == nil {
			continue
		}
		u.Logical += b.size
		of.Logical += b.size
		b.repository = claim(x.repositories, b.repository, id, b.size)
		if !open.has.Has(blobID) {
			open.has.Add(blobID)
			b.team = claim(x.teams, b.team, teamID, b.size)
		}
	}
}
