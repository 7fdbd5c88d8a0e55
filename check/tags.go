package check

import (
	"context"
	"fmt"
)

// checkTag looks at one tag.
func (p *repository) checkTag(ctx context.Context, name string) error {
	t := p.tags[name]
	if err := p.checkTagIndex(ctx, name, t); err != nil {
		return err
	}
	key := p.layout.TagLink(p.name, name)
	f := Finding{Key: key, Repository: p.name, Tags: []string{name}}
	switch cur := t.current; {
	case cur == nil:
		if !t.settled() {
			return nil
		}
		f.Kind, f.Detail = TagIncomplete, "push it again, or delete it"
		return p.found(ctx, f, nil)
	case cur.gone || cur.young:
		return nil
	case cur.says == "":
		f.Kind, f.Detail = cur.wrong()
		fix, err := p.onlyOnce(ctx, name, t)
		if err != nil {
			return err
		}
		return p.found(ctx, f, fix)
	}
	f.Digest = t.current.says
	p.blobs.mark(f.Digest, linked)
	if err := p.checkTagged(ctx, f); err != nil || t.index[f.Digest].there() {
		return err
	}
	return p.checkIndexed(ctx, f)
}

// settled reports whether the tag has a history, all of which is old.
func (t *tag) settled() bool {
	there := 0
	for _, l := range t.index {
		if l.young {
			return false
		}
		if l.there() {
			there++
		}
	}
	return there > 0
}

// checkTagIndex looks at the links of a tag's history. A manifest may be gone from
// the repository and be in there still.
func (p *repository) checkTagIndex(ctx context.Context, name string, t *tag) error {
	for d, l := range t.index {
		if !l.there() || l.young || l.right(d, false) {
			continue
		}
		_, state, err := p.look(ctx, d)
		if err != nil {
			return err
		}
		if err := p.wrong(ctx, l, d, p.layout.TagIndexLink(p.name, name, d), []string{name}, state == ""); err != nil {
			return err
		}
	}
	return nil
}

// onlyOnce repairs a tag that names nothing, if its history leaves no choice: it
// was never moved, and the manifest is there.
func (p *repository) onlyOnce(ctx context.Context, name string, t *tag) (*repair, error) {
	if len(t.index) != 1 {
		return nil, nil
	}
	for d, l := range t.index {
		if !l.there() || l.young || !l.right(d, false) || !p.revisions[d].there() {
			continue
		}
		m, err := p.manifest(ctx, d)
		if err != nil {
			return nil, err
		}
		if m.sound() {
			return &repair{
				key: p.layout.TagLink(p.name, name), digest: d, was: t.current.etag,
				from: p.layout.TagIndexLink(p.name, name, d), fromSays: d,
			}, nil
		}
	}
	return nil, nil
}

// checkTagged has the repository have the manifest that the tag names.
func (p *repository) checkTagged(ctx context.Context, f Finding) error {
	if p.revisions[f.Digest].there() {
		return nil // it is looked at with all others
	}
	key := p.layout.RevisionLink(p.name, f.Digest)
	m, err := p.manifest(ctx, f.Digest)
	if err != nil {
		return err
	}
	since, err := p.changed(ctx, f, key)
	switch {
	case err != nil || since:
		return err
	case m.state != "":
		f.Kind, f.Detail = TagMissing, fmt.Sprintf("%s %s", f.Digest, m.state)
		return p.found(ctx, f, nil)
	}
	p.enqueue(f.Digest)
	f.Kind, f.Detail = TagUnlinked, "the repository does not have "+f.Digest.String()
	if !m.sound() {
		return p.found(ctx, f, nil)
	}
	return p.found(ctx, f, &repair{key: key, digest: f.Digest, from: f.Key, fromSays: f.Digest})
}

// checkIndexed tells of a tag whose history lacks what it names.
func (p *repository) checkIndexed(ctx context.Context, f Finding) error {
	key := p.layout.TagIndexLink(p.name, f.Tags[0], f.Digest)
	since, err := p.changed(ctx, f, key)
	if err != nil || since {
		return err
	}
	m, err := p.manifest(ctx, f.Digest)
	if err != nil || m.state != "" {
		return err // which is told of already
	}
	f.Kind, f.Detail = TagUnindexed, "it lacks "+f.Digest.String()
	return p.found(ctx, f, &repair{key: key, digest: f.Digest, from: f.Key, fromSays: f.Digest})
}

// changed reports whether the tag or tarsum that f is about names something else by now, or
// the link that it lacked is there: a push or a deletion came in between.
func (p *repository) changed(ctx context.Context, f Finding, lacked string) (bool, error) {
	l, err := p.readLink(ctx, lacked)
	if err != nil || !l.gone {
		return true, err
	}
	l, err = p.readLink(ctx, f.Key)
	return l.says != f.Digest, err
}
