package manifests

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/blobstore"
)

// Put implements distribution.ManifestService. distribution.ErrManifestVerification tells
// all that is missing, an *InvalidError what is not allowed; nothing is written then. Once
// writing has begun it goes on when the client goes away. distribution.WithTag has the tag's
// history written at once, so that Tag is one request; the tag itself is Tag's to write. A media
// type that the manifest does not tell itself is kept by stores that keep the types of objects
// (driver.Features.Metadata).
func (r *Repository) Put(ctx context.Context, m distribution.Manifest, options ...distribution.ManifestServiceOption) (digest.Digest, error) {
	own, err := Of(m)
	if err != nil {
		return "", err
	}
	var tags []string
	verify := true
	for _, o := range options {
		switch o := o.(type) {
		case distribution.WithTagOption:
			tags = append(tags, o.Tag)
		default:
			if reflect.TypeOf(o) == skipVerification {
				verify = false
			}
		}
	}
	return own.descriptor.Digest, r.put(ctx, own, tags, verify)
}

// skipVerification is the type of the option by which distribution's pull-through cache puts
// manifests whose layers it does not have yet.
var skipVerification = reflect.TypeOf(storage.SkipLayerVerification())

func (r *Repository) put(ctx context.Context, m *Manifest, tags []string, verify bool) error {
	for _, tag := range tags {
		if err := checkTag(tag); err != nil {
			return err
		}
	}
	if err := r.check(m); err != nil {
		return err
	}
	v, err := r.write(ctx, m, tags, verify, false)
	for round := 1; err == nil && r.friend.Watch().Expired(v.since); round++ {
		if round == rounds {
			return errSlow(m.descriptor.Digest)
		}
		v, err = r.write(ctx, m, tags, verify, true)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vouched[m.descriptor.Digest] = v
	return nil
}

// write writes m and all that refers to it but its tags.
func (r *Repository) write(ctx context.Context, m *Manifest, tags []string, verify, slow bool) (vouched, error) {
	since, err := r.vouch(ctx, m, verify, slow)
	if err != nil {
		return vouched{}, err
	}
	ctx, stop := carryOn(ctx)
	defer stop()
	d, size := m.descriptor.Digest, m.descriptor.Size
	seen := sighting{epoch: r.friend.Epoch(), target: d, mediaType: m.toldByLink(), since: since}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return r.store.PutBlob(gctx, d, size, bytes.NewReader(m.payload), blobstore.BlobOptions{})
	})
	g.Go(func() error {
		return r.friend.PutLink(gctx, r.layout.RevisionLink(r.name, d), d, cmp.Or(seen.mediaType, linkType))
	})
	if subject := m.Subject(); subject != "" {
		g.Go(func() error {
			return r.friend.PutLink(gctx, r.layout.Referrer(r.name, subject, d), d, linkType)
		})
	}
	for _, tag := range tags {
		g.Go(func() error { return r.putHistory(gctx, tag, d) })
	}
	if err := g.Wait(); err != nil {
		return vouched{}, fmt.Errorf("manifest %s: %w", d, err)
	}
	seen.at = time.Now()
	r.see(d, seen)
	r.keep(d, m.payload)
	return vouched{m, verify, since}, nil
}

// toldByLink is m's media type, "" where its reader finds it in m.
func (m *Manifest) toldByLink() string {
	if m.descriptor.MediaType == m.fields.mediaType() {
		return ""
	}
	return m.descriptor.MediaType
}

// tagName is the specification's pattern of tags.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
var tagName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// IsTag reports whether a tag may be called so.
func IsTag(tag string) bool { return tagName.MatchString(tag) }

func checkTag(tag string) error {
	if !IsTag(tag) {
		return invalid("tag %q: want letters, digits, _, . and -, at most 128, and neither . nor - first", tag)
	}
	return nil
}
