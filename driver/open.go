package driver

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Opener makes a Bucket from a store's URL, the scheme of which it registered.
type Opener func(ctx context.Context, u *url.URL) (Bucket, error)

var openers struct {
	sync.RWMutex
	m map[string]Opener
}

// Register makes a scheme known to Open. It is meant to be called from a
// driver's init, as in database/sql, and panics when the scheme is taken.
func Register(scheme string, o Opener) {
	openers.Lock()
	defer openers.Unlock()
	if _, dup := openers.m[scheme]; dup {
		panic("driver: Register called twice for scheme " + scheme)
	}
	if openers.m == nil {
		openers.m = make(map[string]Opener)
	}
	openers.m[scheme] = o
}

// Schemes lists the registered schemes in order.
func Schemes() []string {
	openers.RLock()
	defer openers.RUnlock()
	return slices.Sorted(maps.Keys(openers.m))
}

// Open makes a Bucket from a URL such as
//
//	s3://bucket/prefix?region=eu-west-1
//
// The driver must have been imported, usually for its side effect only. Unknown
// schemes and parameters are Invalid, with the valid ones named. Open makes no
// request: a wrong bucket or key shows at the first call.
func Open(ctx context.Context, rawURL string) (Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// url.Error repeats the URL, which may hold a secret.
		return nil, fmt.Errorf("storage URL: not a URL, want scheme://bucket/prefix?options: %w", Invalid)
	}
	openers.RLock()
	o := openers.m[u.Scheme]
	openers.RUnlock()
	if o == nil {
		return nil, fmt.Errorf("storage URL %s: unknown scheme %q, known ones are %s: %w",
			RedactURL(rawURL), u.Scheme, strings.Join(Schemes(), ", "), Invalid)
	}
	b, err := o(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("storage URL %s: %w", RedactURL(rawURL), err)
	}
	return b, nil
}
