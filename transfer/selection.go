package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/internal/glob"
)

// errNoMatch is for what was asked for and is not there.
var errNoMatch = errors.New("the source has none")

// patterns tells which of them matched something.
type patterns struct {
	list []string
	met  map[string]bool
}

func newPatterns(list []string) patterns { return patterns{list, make(map[string]bool)} }

// match reports whether name matches any.
func (p patterns) match(name string) bool {
	met := false
	for _, pattern := range p.list {
		if glob.Match(pattern, name) {
			p.met[pattern], met = true, true
		}
	}
	return met
}

// chosen are the repositories that p is for. Without a pattern among them there is
// no need to look at all.
func (c *copier) chosen(ctx context.Context, p patterns) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !slices.ContainsFunc(p.list, func(s string) bool { return !glob.Literal(s) }) {
			for _, name := range slices.Compact(slices.Sorted(slices.Values(p.list))) {
				if !yield(name, nil) {
					return
				}
			}
			return
		}
		for name, err := range c.src.store.Repositories(ctx, "") {
			if err == nil && !p.match(name) {
				continue
			}
			if !yield(name, err) || err != nil {
				return
			}
		}
	}
}

// missing reports the patterns that nothing was found for.
func (c *copier) missing(what string, p patterns) {
	for _, pattern := range slices.Compact(slices.Sorted(slices.Values(p.list))) {
		if !p.met[pattern] {
			c.tell(Missing, pattern, fmt.Errorf("%s: %w", what, errNoMatch))
		}
	}
}

// repositories copies what the chosen repositories have.
func (c *copier) repositories(ctx context.Context) error {
	p := newPatterns(c.options.Repositories)
	_, err := c.links(ctx, func(yield func(found, error) bool) {
		for name, err := range c.chosen(ctx, p) {
			if err != nil {
				yield(found{}, fmt.Errorf("source: %w", err))
				return
			}
			// What belongs to the repository, and not to one below it.
			for f, err := range c.mergeListings(ctx, c.src.Repository(name)+"_") {
				if err == nil {
					p.match(name)
				}
				if !yield(f, err) {
					return
				}
			}
		}
	}, false)
	if err == nil {
		c.missing("repository", p)
	}
	return err
}

// tagged copies the chosen tags of the chosen repositories.
func (c *copier) tagged(ctx context.Context) error {
	repos, tags := newPatterns(c.options.Repositories), newPatterns(c.options.Tags)
	var g errgroup.Group
	g.SetLimit(c.options.Concurrency)
	defer func() { _ = g.Wait() }()
	for name, err := range c.chosen(ctx, repos) {
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		r := c.repository(name)
		for tag, err := range r.names(ctx, "") {
			if err != nil {
				return fmt.Errorf("source: %w", err)
			}
			repos.match(name)
			if tags.match(tag) && r.claim(tag) {
				g.Go(func() error {
					r.follows(ctx, tag)
					return nil
				})
			}
		}
	}
	_ = g.Wait()
	if ctx.Err() == nil {
		c.missing("repository", repos)
		c.missing("tag", tags)
	}
	return ctx.Err()
}
