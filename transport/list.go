package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/distribution/distribution/v3"

	"github.com/blobdock/blobdock/driver"
)

// Images lists the images of a bucket, as repository:tag, in order: of all repositories, or of the
// one that is behind a # of the URL. A repository without a tag is listed without it.
func Images(ctx context.Context, where string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		storage, repository, one := strings.Cut(where, "#")
		if err := checkStorage(storage); err != nil {
			yield("", err)
			return
		}
		if one && !repositoryName.MatchString(repository) {
			yield("", fmt.Errorf("%s: want a repository's name behind the #, and no tag: %w", driver.RedactURL(storage), driver.Invalid))
			return
		}
		b, err := openExisting(ctx, storage)
		if err != nil {
			yield("", err)
			return
		}
		names := b.Repositories(ctx, "")
		if one {
			names = func(yield func(string, error) bool) { yield(repository, nil) }
		}
		more := true
		for name, err := range names {
			if err == nil {
				more, err = b.tags(ctx, name, yield)
			}
			if err != nil {
				yield("", fmt.Errorf("%s: %w", driver.RedactURL(storage), err))
				more = false
			}
			if !more {
				break
			}
		}
		if err := b.Close(); err != nil && more {
			yield("", err)
		}
	}
}

// tagsPage is how many tags are listed at a time.
const tagsPage = 1000

// tags lists the tags of a repository, and reports whether to go on.
func (b *bucket) tags(ctx context.Context, name string, yield func(string, error) bool) (bool, error) {
	m, _ := b.repository(name)
	for last := ""; ; {
		tags, err := m.Tags().List(ctx, tagsPage, last)
		end := errors.Is(err, io.EOF)
		switch {
		case errors.As(err, new(distribution.ErrRepositoryUnknown)):
			return true, fmt.Errorf("repository %s: %w", name, driver.NotFound)
		case err != nil && !end:
			return true, fmt.Errorf("tags of %s: %w", name, err)
		case end && last == "" && len(tags) == 0:
			return yield(name, nil), nil
		}
		for _, tag := range tags {
			if last = tag; !yield(name+":"+tag, nil) {
				return false, nil
			}
		}
		if end {
			return true, nil
		}
	}
}
