package storm

import (
	"context"
	"fmt"
	"maps"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// Wanted is the keys of b that garbage collectors leave, and perhaps others: what the collectors do, in few words
// and read one by one. resolve tells what a tag is, and false where it is nothing.
func (w *World) Wanted(ctx context.Context, b driver.Bucket, l layout.Layout, untagged bool, resolve func(repo, tag string) (digest.Digest, bool)) (map[string]bool, error) {
	want := make(map[string]bool)
	for _, repo := range w.Repos {
		revisions, tagged := make(map[digest.Digest]bool), make(map[digest.Digest]bool)
		for e, err := range driver.List(ctx, b, driver.ListRequest{Prefix: l.Repository(repo)}) {
			if err != nil {
				return nil, fmt.Errorf("repository %s: %w", repo, err)
			}
			switch name, _ := l.Parse(e.Key); name.Kind {
			case layout.RevisionLink:
				revisions[name.Digest] = true
			case layout.TagLink:
				want[e.Key] = true
				if d, ok := resolve(repo, name.Tag); ok {
					tagged[d] = true
				}
			}
		}
		w.keep(repo, l, untagged, revisions, tagged, want)
	}
	return want, nil
}

func (w *World) keep(repo string, l layout.Layout, untagged bool, revisions, tagged map[digest.Digest]bool, want map[string]bool) {
	there := func(m *Thing) bool { return revisions[m.Digest] || tagged[m.Digest] }
	kept := maps.Clone(tagged)
	if !untagged {
		maps.Copy(kept, revisions)
	}
	for n := -1; n != len(kept); {
		n = len(kept)
		for _, m := range w.All {
			if m.Subject != nil && there(m) && (kept[m.Subject.Digest] || !there(m.Subject)) {
				kept[m.Digest] = true
			}
			for _, c := range m.Children {
				if there(m) {
					kept[c.Digest] = true
				}
			}
		}
	}
	for _, m := range w.All {
		if !kept[m.Digest] || !there(m) {
			continue
		}
		want[l.RevisionLink(repo, m.Digest)] = true
		m.Contents(func(d digest.Digest) { want[l.Blob(d)], want[l.LayerLink(repo, d)] = true, true })
		if m.Subject != nil {
			want[l.Referrer(repo, m.Subject.Digest, m.Digest)] = true
		}
		for _, tag := range w.Tags {
			want[l.TagIndexLink(repo, tag, m.Digest)] = true
		}
	}
}
