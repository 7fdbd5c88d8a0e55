package registry

import (
	"context"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/api/errcode"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// manifestService is one repository's manifests for one request.
type manifestService struct {
	*manifests.Repository
	namespace *namespace
	options   []distribution.ManifestServiceOption // of every Put
}

var _ distribution.ManifestService = (*manifestService)(nil)

// Manifests implements distribution.Repository.
func (r *repository) Manifests(ctx context.Context, options ...distribution.ManifestServiceOption) (distribution.ManifestService, error) {
	m := &manifestService{r.manifestsFor(ctx), r.namespace, options}
	if r.namespace.frozen {
		return frozenManifests{m}, nil
	}
	return m, nil
}

// Tags implements distribution.Repository.
func (r *repository) Tags(ctx context.Context) distribution.TagService {
	t := &tagService{r.manifestsFor(ctx).Tags(), r}
	if r.namespace.frozen {
		return frozenTags{t}
	}
	return t
}

// manifestsFor is the same for all calls of a request: Tag need not do again what Put did.
func (r *repository) manifestsFor(ctx context.Context) *manifests.Repository {
	r.once.Do(func() {
		var o manifests.Options
		if a, ok := ctx.Value(answerKey{}).(*answer); ok {
			o = a.manifests
			r.namespace.options.Store(&o)
		} else if last := r.namespace.options.Load(); last != nil {
			o = *last // a pull-through cache deletes outside of requests
		}
		r.manifests = r.namespace.manifests.Repository(r.Named(), o)
	})
	return r.manifests
}

// manifestOptions is what a configuration asks of manifests, as distribution reads it.
// https://distribution.github.io/distribution/about/configuration/#validation
func manifestOptions(c *configuration.Configuration) manifests.Options {
	var o manifests.Options
	if v, ok := c.Storage["delete"]["enabled"]; ok {
		o.Delete, _ = v.(bool)
	}
	if c.Validation.Disabled && !c.Validation.Enabled {
		o.Index = func(v1.Descriptor) bool { return false }
		return o
	}
	urls, indexes := c.Validation.Manifests.URLs, c.Validation.Manifests.Indexes
	if len(urls.Allow)+len(urls.Deny) == 0 {
		o.AllowURLs = regexp.MustCompile("^$")
	}
	if len(urls.Allow) > 0 {
		o.AllowURLs = anyOf(urls.Allow)
	}
	if len(urls.Deny) > 0 {
		o.DenyURLs = anyOf(urls.Deny)
	}
	switch indexes.Platforms {
	case "none":
		o.Index = func(v1.Descriptor) bool { return false }
	case "list":
		o.Index = func(d v1.Descriptor) bool {
			return len(indexes.PlatformList) == 0 || slices.ContainsFunc(indexes.PlatformList, func(p configuration.Platform) bool {
				return d.Platform != nil && d.Platform.Architecture == p.Architecture && d.Platform.OS == p.OS
			})
		}
	}
	return o
}

// anyOf matches what one of the expressions does. Distribution has refused those that are
// none.
func anyOf(expressions []string) *regexp.Regexp {
	return regexp.MustCompile("(?:" + strings.Join(expressions, ")|(?:") + ")")
}

// Get implements distribution.ManifestService.
func (m *manifestService) Get(ctx context.Context, d digest.Digest, options ...distribution.ManifestServiceOption) (distribution.Manifest, error) {
	got, err := m.Repository.Get(ctx, d, options...)
	if errors.As(err, new(distribution.ErrManifestUnknownRevision)) {
		d, got, err = m.getMoved(ctx, d, options, err)
	}
	if err != nil {
		return nil, recordError(ctx, err)
	}
	m.namespace.notePull(ctx, m.Name(), d.String())
	return handOver(ctx, d, got), nil
}

// getMoved is Get by a tag that was d when distribution read it. By now d is unknown: the tag may have
// become another manifest, and what it was deleted. The tag has been there all the time, so the answer
// is what it is now. Elsewhere the error is unknown.
func (m *manifestService) getMoved(ctx context.Context, d digest.Digest, options []distribution.ManifestServiceOption, unknown error) (digest.Digest, distribution.Manifest, error) {
	a, ok := ctx.Value(answerKey{}).(*answer)
	for _, o := range options {
		tag, tagged := o.(distribution.WithTagOption)
		if !ok || a.pull == nil || !tagged {
			continue
		}
		now, err := m.Repository.Tags().Get(ctx, tag.Tag)
		switch {
		case errors.As(err, new(distribution.ErrTagUnknown)), err == nil && now.Digest == d:
			return d, nil, unknown
		case err != nil:
			return d, nil, err
		}
		got, err := m.Repository.Get(ctx, now.Digest, options...)
		a.pull.digest = now.Digest
		return now.Digest, got, err
	}
	return d, nil, unknown
}

// Exists implements distribution.ManifestService.
func (m *manifestService) Exists(ctx context.Context, d digest.Digest) (bool, error) {
	ok, err := m.Repository.Exists(ctx, d)
	return ok, recordError(ctx, err)
}

// Put implements distribution.ManifestService.
func (m *manifestService) Put(ctx context.Context, manifest distribution.Manifest, options ...distribution.ManifestServiceOption) (digest.Digest, error) {
	options = append(slices.Clone(m.options), options...)
	push := manifestPushOf(ctx)
	if raw, ok := manifest.(*rawManifest); ok {
		parsed, err := manifests.Parse(push.mediaType, raw.digest.Algorithm(), raw.payload)
		if err != nil {
			return "", manifestError(ctx, err)
		}
		manifest, raw.mediaType = parsed, parsed.Descriptor().MediaType
	}
	for _, tag := range push.tags {
		options = append(options, distribution.WithTag(tag))
	}
	d, err := m.Repository.Put(ctx, manifest, options...)
	if err != nil {
		return "", manifestError(ctx, err)
	}
	if err := m.Tags().TagAll(ctx, push.tags, v1.Descriptor{Digest: d}); err != nil {
		return "", manifestError(ctx, err)
	}
	if own, err := manifests.Of(manifest); err == nil {
		push.subject = own.Subject()
	}
	return d, nil
}

// Delete implements distribution.ManifestService.
func (m *manifestService) Delete(ctx context.Context, d digest.Digest) error {
	return recordError(ctx, m.Repository.Delete(ctx, d))
}

// manifestError is err as distribution's handler has a status for it.
func manifestError(ctx context.Context, err error) error {
	var invalid *manifests.InvalidError
	if errors.As(err, &invalid) {
		return errcode.ErrorCodeManifestInvalid.WithDetail(invalid.Reason.Error())
	}
	return recordError(ctx, err)
}

// tagService is one repository's tags for one request.
type tagService struct {
	manifests.Tags
	repository *repository
}

var (
	_ distribution.TagService           = (*tagService)(nil)
	_ distribution.TagManifestsProvider = (*tagService)(nil)
)

// Get implements distribution.TagService.
func (t *tagService) Get(ctx context.Context, tag string) (v1.Descriptor, error) {
	d, err := t.Tags.Get(ctx, tag)
	if err == nil {
		t.repository.namespace.notePull(ctx, t.repository.Named().Name(), tag)
	}
	return d, recordError(ctx, err)
}

// Tag implements distribution.TagService.
func (t *tagService) Tag(ctx context.Context, tag string, desc v1.Descriptor) error {
	return recordError(ctx, t.Tags.Tag(ctx, tag, desc))
}

// Untag implements distribution.TagService.
func (t *tagService) Untag(ctx context.Context, tag string) error {
	return recordError(ctx, t.Tags.Untag(ctx, tag))
}

// All implements distribution.TagService.
func (t *tagService) All(ctx context.Context) ([]string, error) {
	tags, err := t.Tags.All(ctx)
	return tags, recordError(ctx, err)
}

// Lookup implements distribution.TagService.
func (t *tagService) Lookup(ctx context.Context, desc v1.Descriptor) ([]string, error) {
	tags, err := t.Tags.Lookup(ctx, desc)
	return tags, recordError(ctx, err)
}

// List implements distribution.TagService. Requests for referrers and for signatures come here,
// too (referrers.go, signatures.go).
func (t *tagService) List(ctx context.Context, limit int, last string) ([]string, error) {
	if q := referrersOf(ctx); q != nil {
		return nil, q.find(ctx, t.repository.manifestsFor(ctx))
	}
	if s := signaturesOf(ctx); s != nil {
		return nil, s.get(ctx, t.repository.manifestsFor(ctx))
	}
	tags, err := t.Tags.List(ctx, limit, last)
	if err == io.EOF { //nolint:errorlint // distribution compares, too
		return tags, err
	}
	return tags, recordError(ctx, err)
}
