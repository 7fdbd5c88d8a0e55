package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/storm"
	"github.com/blobdock/blobdock/retention"
	"github.com/blobdock/blobdock/transfer"
)

// sweepAge is how old an upload is that is abandoned.
const sweepAge = 2 * day

// operator does something again and again, until ctx ends.
type operator func(ctx context.Context, r *rand.Rand, i int)

// operators are those of a seed.
func (s *sim) operators() (all []operator) {
	all = []operator{s.periodically("sweeper", s.sweep), s.periodically("repair", s.repair), s.periodically("copy", s.copy)}
	if s.bucket.Features().Conds.Put != driver.AllConds {
		return all // nothing can be collected
	}
	for range 1 + s.rand.IntN(2) {
		untagged := s.rand.IntN(3) == 0
		s.untagged = s.untagged || untagged
		all = append(all, s.periodically("collector", func(ctx context.Context, p *storm.Process) error {
			p.Before = s.collectorCalls
			return s.collect(ctx, p.Bucket(s.bucket), untagged)
		}))
	}
	all = append(all, s.periodically("backup's collector", func(ctx context.Context, p *storm.Process) error {
		return s.collect(ctx, p.Bucket(s.backup), false)
	}))
	return append(all, s.periodically("retention", s.retain))
}

// periodically does something at random times, each time in a new process. What fails must have been
// done something to.
func (s *sim) periodically(name string, do func(context.Context, *storm.Process) error) operator {
	return func(ctx context.Context, r *rand.Rand, i int) {
		for n := 0; ; n++ {
			select {
			case <-time.After(time.Duration(r.Float64() * float64(s.age))):
			case <-ctx.Done():
				return
			}
			if s.t.Failed() {
				return
			}
			run, kill := context.WithCancel(ctx)
			p := s.process(fmt.Sprintf("%s %d.%d", name, i, n))
			p.OnKill = kill
			err := do(run, p)
			ended := run.Err() != nil
			kill()
			s.tell("%s: %v", p.Name, err)
			if err != nil && !ended && p.Hits() == 0 {
				s.fail(nil, "%s: %v", p.Name, err)
			}
		}
	}
}

var quiet = slog.New(slog.DiscardHandler)

// library is a store for what is no registry.
func (s *sim) library(b driver.Bucket) (*blobstore.Store, error) {
	return blobstore.New(b, blobstore.Options{CollectionWait: s.wait, MemoryBudget: 1 << 20, Secret: []byte("shared by all replicas"), Log: quiet})
}

func (s *sim) sweep(ctx context.Context, p *storm.Process) error {
	store, err := s.library(p.Bucket(s.bucket))
	if err != nil {
		return err
	}
	_, err = store.Sweep(ctx, blobstore.SweepOptions{OlderThan: sweepAge})
	return errors.Join(err, store.Close())
}

func (s *sim) collect(ctx context.Context, b driver.Bucket, untagged bool) error {
	_, err := gc.Run(ctx, retry.Wrap(b, retry.Policy{}), gc.Options{OlderThan: s.age, Wait: s.wait, Untagged: untagged, Log: quiet})
	return err
}

// collectorCalls tells a client that waits for it what a collector looks at before it condemns it, or deletes it.
func (s *sim) collectorCalls(c *driver.Call) {
	if name, ok := keys.Parse(c.Key); ok && c.Op == driver.OpStat {
		select {
		case s.doomed <- name.Digest:
		default:
		}
	}
}

// policy deletes a tag when it is as old as that.
func (s *sim) policy() retention.Policy {
	return retention.Policy{Rules: []retention.Rule{{
		Repositories: []string{"**"}, Tags: []string{nightly}, Keep: retention.Keep{YoungerThan: 2 * s.age}, Empty: true,
	}}}
}

func (s *sim) retain(ctx context.Context, p *storm.Process) error {
	var names []string
	for _, repo := range s.world.Repos {
		names = append(names, storm.TagName(repo, nightly))
	}
	try := s.Begin("", "", names...)
	_, err := retention.Run(ctx, retry.Wrap(p.Bucket(s.bucket), retry.Policy{}), s.policy(), retention.Options{})
	s.End(try, err == nil)
	return err
}

func (s *sim) repair(ctx context.Context, p *storm.Process) error {
	_, err := check.Run(ctx, retry.Wrap(p.Bucket(s.bucket), retry.Policy{}), check.Options{OlderThan: s.age, Repair: check.Repairable()})
	if errors.Is(err, check.ErrNoRegistry) {
		return nil
	}
	return err
}

// copy copies all to the other bucket. It may find that a tag or manifest has just been deleted.
func (s *sim) copy(ctx context.Context, p *storm.Process) error {
	src, err := s.library(p.Bucket(s.bucket))
	if err != nil {
		return err
	}
	dst, err := s.library(p.Bucket(s.backup))
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = transfer.Copy(ctx, src, dst, transfer.Options{Problem: func(p transfer.Problem) { s.tell("copy: %+v", p) }})
	if errors.Is(err, transfer.ErrEmpty) || errors.Is(err, transfer.ErrUnsettled) || s.hollow != nil && errors.Is(err, transfer.ErrIncomplete) {
		err = nil
	}
	return errors.Join(err, src.Close(), dst.Close())
}
