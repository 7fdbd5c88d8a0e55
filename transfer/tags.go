package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
)

// tag makes the tag the manifest want, once need has seen to that. there is false
// when the destination is known not to have the tag. Errors are reported.
func (r *repository) tag(ctx context.Context, tag string, want digest.Digest, there bool, need func(context.Context, digest.Digest) error) {
	key, source := r.dst.TagLink(r.name, tag), r.src.TagLink(r.name, tag)
	var have digest.Digest
	if there {
		var err error
		have, err = r.target(ctx, r.dst, key)
		if err != nil && !errors.Is(err, driver.NotFound) && !errors.Is(err, driver.Corrupt) {
			_ = r.fail(ctx, key, err)
			return
		}
	}
	other := have != "" && have != want
	if other && r.options.KeepTags {
		r.tell(Kept, key, fmt.Errorf("is %s, the source's %s", have, want))
		r.count(func(s *Summary) { s.TagsThere++ })
		return
	}
	if err := need(ctx, want); err != nil {
		if ctx.Err() == nil {
			r.leaveOut(layout.Name{Kind: layout.TagLink, Repo: r.name, Tag: tag}, source, want, err)
		}
		return
	}
	if have == want {
		r.count(func(s *Summary) { s.TagsThere++ })
		return
	}
	if r.put(ctx, key, want, func(s *Summary) { s.Tags++ }) == nil && other {
		r.tell(Moved, key, fmt.Errorf("was %s, is %s", have, want))
	}
}

// follows copies a tag of the source, what it needs, and the tags and manifests that refer to it.
func (r *repository) follows(ctx context.Context, tag string) {
	for queue := []string{tag}; len(queue) > 0 && ctx.Err() == nil; queue = queue[1:] {
		tag, key := queue[0], r.src.TagLink(r.name, queue[0])
		want, err := r.target(ctx, r.src, key)
		switch {
		case errors.Is(err, driver.NotFound):
			continue // deleted since it was listed
		case err != nil:
			_ = r.failRead(ctx, key, err)
			continue
		}
		r.tag(ctx, tag, want, true, func(ctx context.Context, d digest.Digest) error {
			if err := r.manifest(ctx, d); err != nil {
				return err
			}
			return r.puts(ctx, r.dst.TagIndexLink(r.name, tag, d), d)
		})
		for d, ok := r.take(); ok; d, ok = r.take() {
			r.referrers(ctx, d)
			for tag, err := range r.names(ctx, prefixOf(d)) {
				if err != nil {
					_ = r.fail(ctx, r.src.RevisionLink(r.name, d), fmt.Errorf("what refers to it: %w", err))
					break
				}
				if r.claim(tag) {
					queue = append(queue, tag)
				}
			}
		}
	}
}

// referrers copies the manifests whose subject is d. Errors are reported.
func (r *repository) referrers(ctx context.Context, d digest.Digest) {
	for e, err := range driver.List(ctx, r.src.bucket, driver.ListRequest{Prefix: r.src.Referrers(r.name, d)}) {
		if err != nil {
			_ = r.fail(ctx, r.src.RevisionLink(r.name, d), fmt.Errorf("what refers to it: %w", err))
			return
		}
		n, ok := r.read(e.Key)
		if !ok {
			continue
		}
		_ = r.manifest(ctx, n.Digest) // reported; a referrer may have been deleted
	}
}

// prefixOf begins the tags that refer to d: "sha256-" and the digest is the index of
// what refers to it where a registry has no API for that, as distribution hasn't;
// with ".sig", ".att" and ".sbom" behind, cosign's.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func prefixOf(d digest.Digest) string {
	algorithm, encoded := d.Algorithm().String(), d.Encoded()
	return algorithm[:min(len(algorithm), 32)] + "-" + encoded[:min(len(encoded), 64)]
}

// take is one of the manifests that were copied and have not been taken.
func (r *repository) take() (d digest.Digest, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.copied) == 0 {
		return "", false
	}
	d, r.copied = r.copied[0], r.copied[1:]
	return d, true
}

// claim reports whether nobody has seen to the tag before.
func (r *repository) claim(tag string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	claimed := r.tags[tag]
	r.tags[tag] = true
	return !claimed
}

// names lists the source's tags that begin with prefix.
func (r *repository) names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		q := driver.ListRequest{Prefix: r.src.Manifests(r.name) + "tags/" + prefix, Delimiter: "/"}
		for e, err := range driver.List(ctx, r.src.bucket, q) {
			if err == nil && !e.IsPrefix {
				continue
			}
			if !yield(path.Base(strings.TrimSuffix(e.Key, "/")), err) {
				return
			}
		}
	}
}
