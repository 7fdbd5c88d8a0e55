package manifests

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3"

	"github.com/blobdock/blobdock/driver"
)

// All returns all tags in order. distribution.ErrRepositoryUnknown when the repository has
// nothing at all.
func (t Tags) All(ctx context.Context) ([]string, error) {
	tags, err := t.List(ctx, -1, "")
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return tags, err
}

// List returns at most limit tags after last, in order, and io.EOF with the last of all. A
// negative limit is all. distribution.ErrRepositoryUnknown when the repository has nothing at
// all.
//
// A page of up to a thousand tags takes one request. Stores list "v1-rc/" before "v1/", so that
// of those that belong on a page some may be listed behind it. They are beginnings of the tag
// that was listed last, and each that sorts into the page is looked up with a request more.
func (t Tags) List(ctx context.Context, limit int, last string) ([]string, error) {
	if limit == 0 {
		return nil, errors.New("asked for no tags")
	}
	r := t.repository
	prefix := r.layout.Tags(r.name)
	q := driver.ListRequest{Prefix: prefix, Delimiter: "/"}
	if last != "" {
		q.StartAfter = prefix + last
	}
	if limit > 0 {
		q.Limit = r.bucket.Features().PageSize
	}
	var (
		tags []string
		end  string // the tag that was listed last
	)
	more := true
	// A page may be one tag short, rather than cost a request more: the store lists last again.
	for more && (limit < 0 || len(tags) == 0 || len(tags) < limit-1) {
		p, err := r.bucket.ListPage(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range p.Items {
			tag, ok := strings.CutSuffix(strings.TrimPrefix(e.Key, prefix), "/")
			if !e.IsPrefix || !ok {
				continue
			}
			end = tag
			if tag > last && IsTag(tag) {
				tags = append(tags, tag)
			}
		}
		q.Token, more = p.Next, p.Next != ""
	}
	if len(tags) == 0 {
		there, err := r.anyUnder(ctx, r.layout.Repository(r.name))
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, distribution.ErrRepositoryUnknown{Name: r.name}
		}
		return nil, io.EOF
	}
	slices.Sort(tags)
	cut := limit > 0 && len(tags) > limit
	if cut {
		tags = tags[:limit]
	}
	if !more {
		if cut {
			return tags, nil
		}
		return tags, io.EOF
	}
	highest := tags[len(tags)-1]
	for _, tag := range beginnings(end) {
		if tag <= last || tag >= highest || slices.Contains(tags, tag) {
			continue
		}
		there, err := r.anyUnder(ctx, r.layout.Tag(r.name, tag))
		if err != nil {
			return nil, err
		}
		if there {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags[:min(limit, len(tags))], nil
}

// beginnings are the tags that sort before tag and are listed after it.
func beginnings(tag string) (all []string) {
	for i, c := range tag {
		if (c == '-' || c == '.') && i > 0 {
			all = append(all, tag[:i])
		}
	}
	return all
}

// anyUnder reports whether there is a key with a prefix.
func (r *Repository) anyUnder(ctx context.Context, prefix string) (bool, error) {
	p, err := r.bucket.ListPage(ctx, driver.ListRequest{Prefix: prefix, Limit: 1})
	return len(p.Items) > 0, err
}
