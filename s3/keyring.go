package s3

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/internal/cloud"
)

const (
	// expiryWindow is how long before their end credentials are replaced: requests that
	// are under way, and clocks that differ a little, use them up to that. The SDK has a
	// window for providers of its own that ask over HTTP alone.
	expiryWindow = 5 * time.Minute
	// fetchInterval is the least time between two fetches while the credentials that are
	// held still work: some providers hand out the same ones until shortly before the end.
	fetchInterval = 10 * time.Second
)

// keyring holds credentials, and replaces them before they end and when the store refuses
// them. It implements aws.CredentialsProvider.
type keyring struct {
	// fetch asks where credentials come from, and reads their files anew.
	fetch func(context.Context) (aws.Credentials, error)

	files *cloud.Files // that hold them; nil is none

	flight singleflight.Group

	mu   sync.Mutex
	held issue
}

// issue is credentials that were handed out.
type issue struct {
	aws.Credentials
	generation int64     // changes when they do
	fetched    time.Time // when they were asked for, whether there were new ones or not
}

// Retrieve returns credentials for a request, and tells the call in ctx which they are.
func (k *keyring) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := k.lasting(ctx, expiryWindow)
	if c, ok := ctx.Value(callKey{}).(*call); ok && err == nil {
		c.generation = got.generation
	}
	return got.Credentials, err
}

// lasting returns credentials that work for that long yet, if such can be had, and
// otherwise those that work at all.
func (k *keyring) lasting(ctx context.Context, life time.Duration) (issue, error) {
	held := k.get()
	left := life
	if end := ends(held.Credentials); !end.IsZero() {
		left = time.Until(end)
	}
	switch {
	case k.files.Changed():
	case held.HasKeys() && left >= life, held.HasKeys() && left > 0 && time.Since(held.fetched) < fetchInterval:
		return held, nil
	}
	got, err := k.replace(ctx)
	if err != nil && held.HasKeys() && left > 0 {
		return held, nil
	}
	return got, err
}

// renewed reports whether there are other credentials by now than those of that
// generation, which the store has refused.
func (k *keyring) renewed(ctx context.Context, generation int64) bool {
	changed := k.files.ChangedNow() // before the generation, which a fetch sets before it notes the files
	switch held := k.get(); {
	case held.generation != generation:
		return true
	case held.HasKeys() && !changed && time.Since(held.fetched) < fetchInterval:
		return false
	}
	got, err := k.replace(ctx)
	return err == nil && got.generation != generation
}

func (k *keyring) get() issue {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// replace fetches credentials once for all that wait for them. A caller that goes away
// does not end the fetch.
func (k *keyring) replace(ctx context.Context) (issue, error) {
	done := k.flight.DoChan("", func() (any, error) {
		files := k.files.Stat()
		defer func() { k.files.Read(files) }()
		got, err := k.fetch(context.WithoutCancel(ctx))
		k.mu.Lock()
		defer k.mu.Unlock()
		k.held.fetched = time.Now()
		if err != nil {
			return issue{}, &cloud.IdentityError{Err: err}
		}
		if got.AccessKeyID != k.held.AccessKeyID || got.SecretAccessKey != k.held.SecretAccessKey || got.SessionToken != k.held.SessionToken {
			k.held.generation++
		}
		k.held.Credentials = got
		return k.held, nil
	})
	select {
	case <-ctx.Done():
		return issue{}, ctx.Err()
	case r := <-done:
		got, _ := r.Val.(issue)
		return got, r.Err
	}
}

// ends is when credentials stop working, the zero time when they don't.
func ends(c aws.Credentials) time.Time {
	if !c.CanExpire {
		return time.Time{}
	}
	return c.Expires
}
