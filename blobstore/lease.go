package blobstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
)

// A lease is an object in the bucket that says who does something at the moment.
const (
	leaseTime  = time.Minute   // it ends by itself so long after its holder has vanished
	leaseRenew = leaseTime / 3 // it is renewed that often
	maxLease   = 4 << 10       // bytes; far more than one has
)

// lease is the object's content.
type lease struct {
	Holder string    `json:"holder"`
	Began  time.Time `json:"began"`
	Until  time.Time `json:"until"`
	Done   bool      `json:"done"` // what it was for was finished

	etag string
}

func (s internals) RunWithLease(ctx context.Context, name string, every time.Duration, do func(context.Context) error) (friend.LeaseResult, error) {
	if !s.features.Conds.Put.Allows(driver.Cond{IfAbsent: true}) || !s.features.Conds.Put.Allows(driver.Cond{IfMatch: "any"}) {
		return friend.LeaseResult{Ran: true, Began: time.Now()}, do(ctx)
	}
	key := s.layout.Lease(name)
	l, err := s.acquire(ctx, key, every)
	if err != nil {
		return friend.LeaseResult{}, fmt.Errorf("lease %s: %w", name, err)
	}
	if l.Holder != "" {
		return friend.LeaseResult{Began: l.Began}, nil
	}
	l.Holder = holder()
	l.Began = time.Now().UTC()
	switch err := s.renewLease(ctx, key, l); {
	case errors.Is(err, driver.Exists) || errors.Is(err, driver.Mismatch):
		return friend.LeaseResult{Began: l.Began}, nil // another was faster, by a moment
	case err != nil:
		return friend.LeaseResult{}, fmt.Errorf("lease %s: %w", name, err)
	}

	running, cancel := context.WithCancelCause(ctx)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		if err := s.keepRenewing(running, key, l); err != nil {
			cancel(fmt.Errorf("lease %s: %w", name, err))
		}
	}()
	err = do(running)
	lost := context.Cause(running)
	cancel(nil)
	<-renewed
	if lost != nil && ctx.Err() == nil {
		return friend.LeaseResult{Ran: true, Began: l.Began}, errors.Join(err, lost)
	}
	s.releaseLease(ctx, key, l, err == nil)
	return friend.LeaseResult{Ran: true, Began: l.Began}, err
}

// acquire finds out whether the lease at key can be had: then it has no holder.
func (s *Store) acquire(ctx context.Context, key string, every time.Duration) (*lease, error) {
	l, err := s.readLease(ctx, key)
	if errors.Is(err, driver.NotFound) {
		return new(lease), nil
	}
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if now.Before(l.Until) || l.Done && now.Before(l.Began.Add(every)) {
		return l, nil
	}
	return &lease{etag: l.etag}, nil
}

func (s *Store) readLease(ctx context.Context, key string) (*lease, error) {
	r, err := s.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxLease))
	if err != nil {
		return nil, err
	}
	l := &lease{etag: r.Object.ETag}
	if err := json.Unmarshal(text, l); err != nil {
		*l = lease{etag: l.etag} // it is nobody's, and will be replaced
	}
	return l, nil
}

// renewLease writes the lease for another leaseTime.
func (s *Store) renewLease(ctx context.Context, key string, l *lease) error {
	l.Until = time.Now().UTC().Add(leaseTime)
	return s.writeLease(ctx, key, l)
}

// writeLease writes the lease, and again while that fails in passing: after a look whether it
// is there, as the write may have been executed, or another is, for whose sake the store may
// take no further write.
func (s *Store) writeLease(ctx context.Context, key string, l *lease) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	for waits := s.options.Retry.Backoff(); ; {
		o := driver.WriteOptions{ContentType: "application/json", Cond: driver.Cond{IfAbsent: l.etag == "", IfMatch: l.etag}}
		obj, err := s.bucket.Put(ctx, key, io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text))), o)
		if err == nil {
			l.etag = obj.ETag
			return nil
		}
		if driver.OutcomeUnknown(err) || errors.Is(err, driver.Mismatch) || errors.Is(err, driver.Exists) || errors.Is(err, driver.Throttled) {
			there, rerr := s.readLease(ctx, key)
			switch {
			case rerr != nil:
			case there.is(l):
				l.etag = there.etag
				return nil
			case there.etag != l.etag:
				return &driver.Error{Op: driver.OpPut, Key: key, Kind: driver.Mismatch, Err: err}
			}
		}
		if err := waits.Wait(ctx, err); err != nil {
			return err
		}
	}
}

// is reports whether both have the same content.
func (l *lease) is(other *lease) bool {
	return l.Holder == other.Holder && l.Done == other.Done && l.Until.Equal(other.Until)
}

// keepRenewing renews the lease until ctx ends. Its error tells that the lease is lost.
func (s *Store) keepRenewing(ctx context.Context, key string, l *lease) error {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		until := l.Until
		switch err := s.renewLease(ctx, key, l); {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, driver.Mismatch) || errors.Is(err, driver.Exists) || time.Now().Add(leaseRenew).After(until):
			return err
		default:
			l.Until = until // there is time for another try
		}
	}
}

// releaseLease ends the lease.
func (s *Store) releaseLease(ctx context.Context, key string, l *lease, done bool) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), s.options.DisconnectGrace)
	defer stop()
	l.Until, l.Done = time.Now().UTC(), done
	if err := s.writeLease(ctx, key, l); err != nil {
		s.options.Log.WarnContext(ctx, "lease not given back, it ends by itself", "key", key, "cause", err)
	}
}

// holder names this process, for those who look at a lease.
func holder() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8])
}
