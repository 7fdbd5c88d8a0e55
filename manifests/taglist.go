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

// List returns at most limit tags after last, in order, and io.EOF with the last of them. A
// negative limit is all. distribution.ErrRepositoryUnknown when the repository has nothing at
// all.
//
// A page takes one request. Stores list "v1-rc/" before "v1/", so that tags may be missing
// on a page of theirs that belong between those on it. All of these are beginnings of the
// page's last one, and are looked up, which a repository needs a thousand tags for that
// begin with a tag and a hyphen.
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
	var tags []string
	more := true
	for more && (limit < 0 || len(tags) <= limit) {
		p, err := r.bucket.ListPage(ctx, q)
		if err != nil {
			return nil, err
		}
		end := last
		for _, e := range p.Items {
			tag, ok := strings.CutSuffix(strings.TrimPrefix(e.Key, prefix), "/")
			if !e.IsPrefix || !ok {
				continue
			}
			end = tag
			if tag > last && checkTag(tag) == nil {
				tags = append(tags, tag)
			}
		}
		q.Token, more = p.Next, p.Next != ""
		if !more || limit < 0 {
			continue
		}
		for _, tag := range beginnings(end) {
			if tag <= last || slices.Contains(tags, tag) {
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
	}
	if len(tags) == 0 {
		there, err := r.anyUnder(ctx, r.layout.Repository(r.name))
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, distribution.ErrRepositoryUnknown{Name: r.name}
		}
	}
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if limit > 0 && (len(tags) > limit || more) {
		return tags[:min(limit, len(tags))], nil
	}
	return tags, io.EOF
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
