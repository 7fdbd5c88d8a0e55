package retention

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/pulls"
	"github.com/blobdock/blobdock/internal/survey"
)

// Options tune a run. The zero value of each field is its default.
type Options struct {
	// Root is where the registry lies in the bucket; docker/registry/v2.
	Root string
	// DryRun tells what would go, and deletes nothing.
	DryRun bool
	// OnTag is called with each tag that goes.
	OnTag func(repository string, t Tag)
	// OnSpared is called with each repository that keeps all its tags because none would be left.
	OnSpared func(repository string)
}

// Summary tells what a run has done.
type Summary struct {
	Repositories int64 `json:"repositories"`
	Tags         int64 `json:"tags"`
	Deleted      int64 `json:"deleted"`
	// Moved tags were pushed again just before they would have gone.
	Moved  int64 `json:"moved"`
	Spared int64 `json:"spared"`
	// PullsSince is since when pulls are recorded, where the policy asks for them; nil is that they
	// are not.
	PullsSince *time.Time `json:"pulls_since,omitempty"`
	// Note is a sentence on tags that stay because it is not known for long enough when they were
	// pulled; "" where that is known, or does not matter.
	Note string `json:"note,omitempty"`
}

// atOnce is how many repositories are looked at at the same time.
const atOnce = 16

// Run deletes the tags that go by the policy. It lists the keys of all repositories, 1,000 a request,
// and takes two requests for each tag that goes, and one for each tag where it matters when it was
// pulled. An error of b ends it, which repeats what fails in
// passing: blobstore.Store.Bucket, or one in retry.Wrap.
func Run(ctx context.Context, b driver.Bucket, p Policy, o Options) (s Summary, err error) {
	if err := p.Check(); err != nil {
		return s, err
	}
	if o.Root == "" {
		o.Root = layout.DefaultRoot
	}
	if o.OnTag == nil {
		o.OnTag = func(string, Tag) {}
	}
	if o.OnSpared == nil {
		o.OnSpared = func(string) {}
	}
	now := b.Features().Time()
	l := layout.Layout{Root: o.Root}
	var pulled pulls.Record
	if p.asksForPulls("") {
		if pulled, err = pulls.Read(ctx, b, l); err != nil {
			return s, err
		}
		if !pulled.Since.IsZero() {
			s.PullsSince = &pulled.Since
		}
		s.Note = p.note(pulled.Since, now)
	}
	var mu sync.Mutex
	listing := driver.List(ctx, b, driver.ListRequest{Prefix: l.Repositories()})
	strange := func(context.Context, driver.Object) error { return nil }
	err = survey.Walk(ctx, l, listing, atOnce, strange, func(ctx context.Context, name string, keys []survey.Key) error {
		var tags []Tag
		links := make(map[string]driver.Object)
		histories := make(map[string][]driver.ObjectRef)
		for _, k := range keys {
			switch k.Kind {
			case layout.TagLink:
				tags = append(tags, Tag{Name: k.Tag, Pushed: k.Object.ModTime})
				links[k.Tag] = k.Object
			case layout.TagIndexLink:
				histories[k.Tag] = append(histories[k.Tag], driver.ObjectRef{Key: k.Object.Key})
			default:
			}
		}
		if p.asksForPulls(name) {
			if err := whenPulled(ctx, b, l, pulled, name, tags, links); err != nil {
				return err
			}
		}
		gone, spared := p.Decide(name, tags, now, pulled.Since)
		mu.Lock()
		s.Repositories++
		s.Tags += int64(len(tags))
		if spared {
			s.Spared++
			o.OnSpared(name)
		}
		mu.Unlock()
		for _, t := range gone {
			moved := false
			if !o.DryRun {
				err := untag(ctx, b, links[t.Name], histories[t.Name])
				if moved = errors.Is(err, driver.Mismatch); err != nil && !moved {
					return err
				}
			}
			mu.Lock()
			if moved {
				s.Moved++
			} else {
				s.Deleted++
				o.OnTag(name, t)
			}
			mu.Unlock()
		}
		return nil
	})
	return s, err
}

// whenPulled tells when tags were pulled, by their names or by the digests that they are. It reads
// the links of repositories whose pulls by digest were recorded.
func whenPulled(ctx context.Context, b driver.Bucket, l layout.Layout, r pulls.Record, name string, tags []Tag, links map[string]driver.Object) error {
	if len(r.Last[name]) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(linksAtOnce)
	reader := survey.NewManifests(b, l, new(survey.Digests), linksAtOnce)
	for i := range tags {
		t := &tags[i]
		g.Go(func() error {
			d, err := reader.Link(ctx, links[t.Name].Key)
			if errors.Is(err, driver.NotFound) {
				err = nil
			}
			if at := r.Pulled(name, t.Name, d.String()); !at.IsZero() {
				t.Pulled = at.Add(pulls.Precision)
			}
			return err
		})
	}
	return g.Wait()
}

const linksAtOnce = 8

// untag deletes a tag, if it is as it was listed, and then its history. Mismatch when it was
// pushed again.
func untag(ctx context.Context, b driver.Bucket, link driver.Object, history []driver.ObjectRef) error {
	var d driver.DeleteOptions
	switch {
	case link.Version != "":
		d.IfVersion = link.Version
	case b.Features().Conds.Delete&driver.CondIfMatch != 0:
		d.IfVersion = link.ETag
	default: // all that can be done without conditions
		now, err := b.Stat(ctx, link.Key)
		if errors.Is(err, driver.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		// A reply to HEAD has whole seconds, where a listing may have fractions.
		if now.ETag != link.ETag || !now.ModTime.Truncate(time.Second).Equal(link.ModTime.Truncate(time.Second)) {
			return driver.NewError(driver.OpDelete, link.Key, driver.Mismatch)
		}
	}
	if err := b.Delete(ctx, link.Key, d); err != nil && !errors.Is(err, driver.NotFound) {
		return err
	}
	return driver.DeleteAll(ctx, b, history)
}
