package gc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
	"github.com/blobdock/blobdock/internal/tombstone"
)

// condemn takes over the tombstones that are there, and makes one for each other candidate.
func (c *collection) condemn(ctx context.Context, unused []candidate) error {
	there, err := tombstone.ReadAll(ctx, c.bucket, c.layout, c.layout.AllTombstones(), c.options.Concurrency)
	if err != nil {
		return err
	}
	c.acked = time.Now()
	has := make(map[string]bool) // keys
	for _, t := range there {
		d, _ := c.layout.TombstoneOf(t.At)
		if t.State.Ended() {
			c.ended = append(c.ended, t)
			continue
		}
		has[t.Key] = true
		c.condemned = append(c.condemned, &condemned{Stored: t, digest: d})
	}
	c.summary.Adopted = int64(len(c.condemned))
	var mu sync.Mutex
	return c.each(ctx, len(unused), func(ctx context.Context, i int) error {
		it := unused[i]
		if has[it.object.Key] {
			return nil
		}
		// A listing does not tell all versions, and is not from now.
		obj, err := c.bucket.Stat(ctx, it.object.Key)
		switch {
		case errors.Is(err, driver.NotFound), err == nil && !c.old(obj):
			return nil
		case err != nil:
			return err
		case obj.Version == "" && !c.features.Conds.DeleteNotAfter:
			return fmt.Errorf("%w: versions, or deletions that are not executed late", ErrStore)
		}
		t, err := tombstone.Create(ctx, c.bucket, c.layout, it.digest, tombstone.Of(obj))
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		c.acked = time.Now()
		c.condemned = append(c.condemned, &condemned{Stored: t, digest: it.digest, object: obj})
		c.tell(obj, Unused)
		c.progress(Condemned, int64(len(c.condemned)), int64(len(unused)))
		return nil
	})
}

func (c *collection) tell(o driver.Object, fate Fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch fate {
	case Rescued:
		c.summary.Rescued++
	case Deleted:
		c.summary.Deleted++
		if layout.IsBlob(o.Key) {
			c.summary.DeletedBytes += o.Size
		}
	case Unused, Restored:
	}
	c.options.OnObject(Object{o.Key, o.Size, o.ModTime, fate})
}

// wait waits until the promises that were made without knowledge of the tombstones have ended, by
// both clocks: one stands still while a machine is suspended, the other one is set.
func (c *collection) wait(ctx context.Context) error {
	waited := func() time.Duration {
		now := time.Now()
		return min(now.Sub(c.acked), now.Round(0).Sub(c.acked.Round(0)))
	}
	undecided := false
	for _, t := range c.condemned {
		undecided = undecided || t.State == tombstone.Condemned
	}
	for rest := c.options.Wait - waited(); undecided && rest > 0; rest = c.options.Wait - waited() {
		c.progress(Waiting, int64(waited()), int64(c.options.Wait))
		select {
		case <-time.After(min(rest, 10*time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// decide marks again, and rescues or begins to delete what is condemned.
func (c *collection) decide(ctx context.Context) error {
	links := make(map[string][]*condemned)
	for _, t := range c.condemned {
		if !layout.IsBlob(t.Key) {
			links[t.Key] = append(links[t.Key], t)
		}
	}
	var mu sync.Mutex
	m := &mark{run: c.run, phase: Again, link: func(k survey.Key, needed bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, t := range links[k.Object.Key] {
			t.needed = needed
		}
	}}
	if err := m.all(ctx); err != nil {
		return err
	}
	for _, t := range c.condemned {
		if layout.IsBlob(t.Key) {
			id, known := c.digests.Find(t.digest)
			t.needed = known && m.refs.Has(id)
		}
	}
	var done atomic.Int64
	return c.each(ctx, len(c.condemned), func(ctx context.Context, i int) error {
		defer func() { c.progress(Deleting, done.Add(1), int64(len(c.condemned))) }()
		return c.one(ctx, c.condemned[i])
	})
}

// one decides on a tombstone, and deletes what it names if that is unused still.
func (c *collection) one(ctx context.Context, t *condemned) error {
	if t.State == tombstone.Condemned {
		obj, err := c.bucket.Stat(ctx, t.Key)
		if err != nil && !errors.Is(err, driver.NotFound) {
			return err
		}
		// Of another version nothing is known, and a young object was put for a push.
		if err == nil && (t.needed || !t.Names(obj) || !c.old(obj)) {
			err := t.Change(ctx, c.bucket, func(t *tombstone.Tombstone) { t.State = tombstone.Rescued })
			if err == nil {
				c.tell(obj, Rescued)
			}
			return leave(err)
		}
		t.object = obj
		if err := c.keep(ctx, obj); err != nil {
			return err
		}
		if err := t.Begin(ctx, c.bucket); err != nil {
			return leave(err)
		}
	}
	if err := t.Delete(ctx, c.bucket); err != nil {
		return leave(err)
	}
	t.gone = true
	if t.object.Key != "" {
		c.tell(t.object, Deleted)
	}
	return nil
}

// leave is nil where another actor goes on with a tombstone.
func leave(err error) error {
	if tombstone.Changed(err) {
		return nil
	}
	return err
}

// finish ends the tombstones of what was deleted, and removes all that have ended.
func (c *collection) finish(ctx context.Context) error {
	var mu sync.Mutex
	err := c.each(ctx, len(c.condemned), func(ctx context.Context, i int) error {
		t := c.condemned[i]
		if t.gone {
			if err := t.Finish(ctx, c.bucket); err != nil {
				return leave(err)
			}
		}
		if t.State.Ended() {
			mu.Lock()
			defer mu.Unlock()
			c.ended = append(c.ended, t.Stored)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(ctx, len(c.ended), func(ctx context.Context, i int) error { return c.ended[i].Remove(ctx, c.bucket) })
}
