package check

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// enqueue has the manifest d be looked at, once.
func (p *repository) enqueue(d digest.Digest) {
	p.pending.Lock()
	defer p.pending.Unlock()
	if !p.seen[d] {
		p.seen[d] = true
		p.todo = append(p.todo, d)
	}
}

// tell reports whether what is wrong with d has not been told yet.
func (p *repository) tell(d digest.Digest) bool {
	p.pending.Lock()
	defer p.pending.Unlock()
	before := p.told[d]
	p.told[d] = true
	return !before
}

// checkManifest looks at a manifest of the repository, and at what it refers to.
func (p *repository) checkManifest(ctx context.Context, d digest.Digest) error {
	m, err := p.manifest(ctx, d)
	if err != nil {
		return err
	}
	p.count(func(s *Summary) Progress {
		s.Manifests++
		return Progress{Repositories, s.Links, s.Links}
	})
	if l := p.revisions[d]; l.there() && !l.right(d, false) {
		if err := p.wrong(ctx, l, d, p.layout.RevisionLink(p.name, d), p.tagsOf(d), m.sound()); err != nil {
			return err
		}
	}
	f := Finding{Key: p.layout.Blob(d), Repository: p.name, Digest: d}
	switch m.state {
	case "":
		f.Kind, f.Detail = m.kind, m.text
	case isCorrupt:
		f.Kind, f.Detail = BlobDigest, "remove the object and push it again"
	case isArchived:
		f.Kind, f.Detail = BlobArchived, "restore it"
	default:
		f.Kind, f.Detail = ManifestMissing, "it "+m.state
	}
	if f.Kind != "" {
		f.Tags = p.tagsOf(d)
		if err := p.found(ctx, f, nil); err != nil {
			return err
		}
	}
	for _, ref := range m.refs {
		if err := p.checkRef(ctx, d, ref); err != nil {
			return err
		}
	}
	return nil
}

// checkRef looks at what the manifest d refers to.
func (p *repository) checkRef(ctx context.Context, d digest.Digest, ref ref) error {
	layer, revision := p.layers[ref.digest], p.revisions[ref.digest]
	target := layer.target(ref.digest)
	p.blobs.mark(target, linked)
	b, state, err := p.refState(ctx, target, ref)
	if err != nil {
		return err
	}
	f := Finding{Key: p.layout.Blob(target), Repository: p.name, Digest: ref.digest, Manifest: d}
	switch {
	case state != "":
		p.tell(ref.digest)
		f.Kind, f.Detail, f.Tags = ReferenceBroken, "it "+state, p.tagsOf(d)
		if ref.manifest && state == isMissing {
			f.Kind = ChildMissing
		}
		return p.found(ctx, f, nil)
	case ref.size > 0 && ref.size != b.size:
		return p.checkSize(ctx, f, target, ref)
	case layer.there() || revision.there() || b.is(young) || !p.tell(ref.digest):
		return nil
	}
	f.Kind, f.Key = ReferenceUnlinked, p.layout.LayerLink(p.name, ref.digest)
	if ref.manifest {
		f.Kind, f.Key = ChildUnlinked, p.layout.RevisionLink(p.name, ref.digest)
	}
	return p.unlinked(ctx, f, ref)
}

// unlinked tells of what f.Manifest refers to, and the repository does not have.
func (p *repository) unlinked(ctx context.Context, f Finding, ref ref) error {
	if l, err := p.readLink(ctx, f.Key); err != nil || !l.gone {
		return err
	}
	f.Detail, f.Tags = "its blob is there", p.tagsOf(f.Manifest)
	fix := &repair{key: f.Key, digest: f.Digest, from: p.layout.RevisionLink(p.name, f.Manifest), fromSays: f.Manifest}
	if ref.manifest {
		child, err := p.manifest(ctx, f.Digest)
		if err != nil {
			return err
		}
		if !child.sound() {
			fix = nil
		}
		p.enqueue(f.Digest)
	}
	return p.found(ctx, f, fix)
}

// refState is why what is referred to can't be had.
func (p *repository) refState(ctx context.Context, target digest.Digest, ref ref) (blob, string, error) {
	b, state, err := p.look(ctx, target)
	if err != nil || state != "" {
		return b, state, err
	}
	if ref.manifest {
		m, err := p.manifest(ctx, target)
		if err != nil {
			return b, "", err
		}
		return b, m.state, nil
	}
	if p.options.Digest && !b.is(young|verified) {
		state, err = p.compareOnce(ctx, target)
	}
	return b, state, err
}

// compareOnce is compare, for what several may come upon at the same time: blobs
// that no repository's link told of beforehand.
func (r *run) compareOnce(ctx context.Context, d digest.Digest) (string, error) {
	for {
		state, err, _ := r.comparing.Do(d.String(), func() (any, error) {
			if b, state, err := r.look(ctx, d); err != nil || state != "" || b.is(verified) {
				return state, err
			}
			return r.compare(ctx, d, io.Discard)
		})
		if text, _ := state.(string); !anotherGaveUp(ctx, err) {
			return text, err
		}
	}
}

// checkSize tells of a blob that has not the size that a manifest says, unless it
// has come to it since it was listed.
func (p *repository) checkSize(ctx context.Context, f Finding, target digest.Digest, ref ref) error {
	obj, err := p.stat(ctx, target)
	if errors.Is(err, driver.NotFound) {
		f.Kind, f.Detail, f.Tags = ReferenceBroken, "it "+isMissing, p.tagsOf(f.Manifest)
		return p.found(ctx, f, nil)
	}
	if err != nil || obj.Size == ref.size {
		return err
	}
	f.Kind, f.Tags = ReferenceSize, p.tagsOf(f.Manifest)
	f.Detail = fmt.Sprintf("it has %d bytes, want %d", obj.Size, ref.size)
	return p.found(ctx, f, nil)
}
