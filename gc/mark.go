package gc

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
)

// mark reads what all repositories refer to.
type mark struct {
	*run
	phase Phase
	// refs are the digests that anything refers to.
	refs survey.Set
	// link is called with each link that is not needed, and with each that is, by several at the
	// same time.
	link func(k survey.Key, needed bool)

	links atomic.Int64
}

// fault tells, once, of what can't be understood.
func (m *mark) fault(key, detail string) {
	if m.phase != Marking || m.round > 0 {
		return
	}
	m.count(func(s *Summary) {
		s.Faults++
		m.options.OnFault(key, detail)
	})
}

func (m *mark) all(ctx context.Context) error {
	listing := driver.List(ctx, m.bucket, driver.ListRequest{Prefix: m.layout.Repositories()})
	strange := func(context.Context, driver.Object) error { return nil } // check tells of it
	return survey.Walk(ctx, m.layout, listing, min(atOnce, m.options.Concurrency), strange, m.repository)
}

// atOnce is how many repositories are held in memory. They share the requests.
const atOnce = 16

// repository is what one repository has.
type repository struct {
	*mark
	name      string
	revisions map[digest.Digest]*survey.Manifest
	tagged    map[digest.Digest]*survey.Manifest // what tags are
	unlinked  map[digest.Digest]*survey.Manifest // what indexes name beside those
	refs      map[survey.ID]bool                 // what manifests refer to
	aliases   map[digest.Digest]digest.Digest    // of layers and manifests: what their links hold
	kept      map[survey.ID]bool                 // manifests that the policy keeps
	// unclear is that not all is known of what manifests refer to.
	unclear bool
}

func (m *mark) repository(ctx context.Context, name string, keys []survey.Key) error {
	p := &repository{
		mark: m, name: name, revisions: make(map[digest.Digest]*survey.Manifest), tagged: make(map[digest.Digest]*survey.Manifest),
		unlinked: make(map[digest.Digest]*survey.Manifest), refs: make(map[survey.ID]bool), kept: make(map[survey.ID]bool), aliases: make(map[digest.Digest]digest.Digest),
	}
	for _, k := range keys {
		if k.Kind == layout.RevisionLink {
			p.revisions[k.Digest] = nil
		}
	}
	if err := p.readAliases(ctx, keys); err != nil {
		return err
	}
	if err := p.readTags(ctx, keys); err != nil {
		return err
	}
	if err := p.readTarSums(ctx, keys); err != nil {
		return err
	}
	if err := p.readManifests(ctx); err != nil {
		return err
	}
	p.keep()
	all := make([]survey.ID, 0, len(p.refs))
	for id := range p.refs {
		all = append(all, id)
	}
	for d, target := range p.aliases {
		if p.unclear || p.refs[p.digests.ID(d)] {
			all = append(all, p.digests.ID(target))
		}
	}
	m.refs.Add(all...)
	for _, k := range keys {
		if k.Kind == layout.TagLink || k.Kind == layout.TarSumLink || k.Kind == layout.Upload {
			continue
		}
		needed := p.needs(k)
		if needed && p.unclear && k.Kind == layout.LayerLink {
			m.refs.Add(m.digests.ID(k.Digest))
		}
		if needed && k.Kind == layout.SignatureLink {
			m.refs.Add(m.digests.ID(k.Digest))
		}
		m.link(k, needed)
	}
	m.count(func(s *Summary) {
		if m.phase == Marking && m.round == 0 {
			s.Repositories++
			s.Manifests += int64(len(p.revisions))
		}
	})
	m.progress(m.phase, m.links.Add(int64(len(keys))), 0)
	return nil
}

// needs reports whether a link is needed.
func (p *repository) needs(k survey.Key) bool {
	id := p.digests.ID(k.Digest)
	_, revision := p.revisions[k.Digest]
	switch k.Kind {
	case layout.SignatureLink:
		_, subject := p.revisions[k.Subject]
		return subject && (p.kept[p.digests.ID(k.Subject)] || p.unclear)
	case layout.LayerLink:
		return p.refs[id] || p.unclear
	case layout.RevisionLink:
		return p.kept[id] || p.unclear
	case layout.TagIndexLink, layout.Referrer:
		return revision || p.tagged[k.Digest] != nil
	default:
		return true
	}
}

// readAliases reads links that hold another digest than that in their key, as their size tells.
// Distribution keeps by its SHA-256 what was pushed by its SHA-512.
func (p *repository) readAliases(ctx context.Context, keys []survey.Key) error {
	var links []survey.Key
	for _, k := range keys {
		if (k.Kind == layout.LayerLink || k.Kind == layout.RevisionLink) && k.Object.Size != int64(len(k.Digest)) {
			links = append(links, k)
		}
	}
	targets, err := p.readLinks(ctx, links)
	if err != nil {
		return err
	}
	for i, target := range targets {
		switch target {
		case absent, links[i].Digest: // it was replaced since it was listed
		case "":
			p.unclear = true
			p.fault(links[i].Object.Key, "it holds no digest")
		default:
			p.aliases[links[i].Digest] = target
		}
	}
	return nil
}

// readTags reads which manifests tags are.
func (p *repository) readTags(ctx context.Context, keys []survey.Key) error {
	return p.readNames(ctx, keys, layout.TagLink, layout.RevisionLink, func(d digest.Digest) { p.tagged[d] = nil })
}

// readTarSums reads which layers have a tarsum, by which clients may ask for them. One that the
// repository has not any more was deleted.
func (p *repository) readTarSums(ctx context.Context, keys []survey.Key) error {
	layers := make(map[digest.Digest]bool)
	for _, k := range keys {
		if k.Kind == layout.LayerLink {
			layers[k.Digest] = true
		}
	}
	return p.readNames(ctx, keys, layout.TarSumLink, layout.LayerLink, func(d digest.Digest) {
		if layers[d] {
			p.refs[p.digests.ID(d)] = true
		}
	})
}

// readNames calls note with what each link of a kind holds, of which the key does not tell. Mostly
// there is a link of the kind known with the digest in its key.
func (p *repository) readNames(ctx context.Context, keys []survey.Key, kind, known layout.Kind, note func(digest.Digest)) error {
	sums := make(survey.Sums)
	var links []survey.Key
	for _, k := range keys {
		switch k.Kind {
		case known:
			sums.Add(k.Digest)
		case kind:
			links = append(links, k)
		}
	}
	var unread []survey.Key
	for _, k := range links {
		if d, ok := sums.Find(k.Object); ok {
			note(d)
		} else {
			unread = append(unread, k)
		}
	}
	targets, err := p.readLinks(ctx, unread)
	if err != nil {
		return err
	}
	for i, d := range targets {
		switch d {
		case absent:
		case "":
			p.unclear = true
			p.fault(unread[i].Object.Key, "it holds no digest")
		default:
			note(d)
		}
	}
	return nil
}

// readLinks reads what links hold: "" where that is no digest, absent where a link is gone since
// it was listed.
func (p *repository) readLinks(ctx context.Context, links []survey.Key) ([]digest.Digest, error) {
	targets := make([]digest.Digest, len(links))
	err := p.each(ctx, len(links), func(ctx context.Context, i int) (err error) {
		targets[i], err = p.manifests.Link(ctx, links[i].Object.Key)
		if errors.Is(err, driver.NotFound) {
			targets[i], err = absent, nil
		}
		return err
	})
	return targets, err
}

// absent stands for the digest of a link that is not there.
const absent digest.Digest = "absent"

// readManifests reads the manifests that the repository has, those that its tags are, and those that
// these name.
func (p *repository) readManifests(ctx context.Context) error {
	var all []digest.Digest
	for d := range p.revisions {
		all = append(all, d)
	}
	for d := range p.tagged {
		if _, ok := p.revisions[d]; !ok {
			all = append(all, d)
		}
	}
	read, err := p.manifests.Closure(ctx, all, func(d digest.Digest) digest.Digest { return cmp.Or(p.aliases[d], d) })
	if err != nil {
		return err
	}
	for d, m := range read {
		_, revision := p.revisions[d]
		_, tagged := p.tagged[d]
		if revision {
			p.revisions[d] = m
		}
		if tagged {
			p.tagged[d] = m
		}
		switch {
		case !revision && !tagged:
			// The link to it was deleted, or lost. Whoever repairs that finds it whole.
			p.unlinked[d] = m
		case m.Fault != "":
			p.unclear = true
			p.fault(p.layout.Blob(d), m.Fault)
		}
		p.refs[p.digests.ID(d)] = true
		for _, id := range m.Blobs {
			p.refs[id] = true
		}
		for _, id := range m.Children {
			p.refs[id] = true
		}
	}
	return nil
}

// keep finds the manifests that the policies keep: those with a tag, what an index has, referrers
// of what is kept, those whose subject is missing, and the other ones without a tag. Until an index
// is gone itself, whoever finds it may tag it: what it has is collected by later runs.
func (p *repository) keep() {
	manifests := make(map[survey.ID]*survey.Manifest)
	for d, m := range p.revisions {
		manifests[p.digests.ID(d)] = m
	}
	for d, m := range p.tagged {
		manifests[p.digests.ID(d)] = m
	}
	for d, m := range p.unlinked {
		manifests[p.digests.ID(d)] = m
	}
	referrers := make(map[survey.ID][]survey.ID)
	var todo []survey.ID
	for id, m := range manifests {
		if m.HasSubject {
			referrers[m.Subject] = append(referrers[m.Subject], id)
		}
		drop := p.options.Untagged
		if m.HasSubject && manifests[m.Subject] == nil {
			drop = p.options.OrphanedReferrers
		}
		if !drop {
			todo = append(todo, id)
		}
		todo = append(todo, m.Children...)
	}
	for d := range p.tagged {
		todo = append(todo, p.digests.ID(d))
	}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if manifests[id] == nil || p.kept[id] {
			continue
		}
		p.kept[id] = true
		todo = append(todo, referrers[id]...)
	}
}
