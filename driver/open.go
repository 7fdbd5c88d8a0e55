package driver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Opener reads a store's URL, the scheme of which it registered, asks p for each
// parameter that it knows, and then for p.Err. It touches nothing: what it returns
// makes the Bucket.
type Opener func(ctx context.Context, u *url.URL, p *Params) (func() (Bucket, error), error)

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
	l, err := Parse(ctx, rawURL, nil)
	if err != nil {
		return nil, err
	}
	return l.Open()
}

// ParseURL parses a storage URL. Its errors say how to write a character that means
// something in a URL. They never repeat the URL, which may hold a secret.
func ParseURL(raw string) (*url.URL, error) {
	u, err := parseURL(raw)
	_, rest, _ := strings.Cut(raw, "://")
	first := rest[:strings.IndexAny(rest+"/", "/?#")]
	var escape url.EscapeError
	switch {
	case err != nil && strings.ContainsAny(first, "% "):
		return nil, fmt.Errorf("storage URL: a %% or a space between :// and the next /: write a directory as file://./NAME or file:///PATH, with %%25 and %%20: %w", Invalid)
	case errors.As(err, &escape):
		return nil, fmt.Errorf("storage URL: a %% without two hexadecimal digits behind it: write %%25 for a %% in a name: %w", Invalid)
	case err != nil:
		return nil, fmt.Errorf("storage URL: not a URL, want scheme://bucket/prefix?options: %w", Invalid)
	case strings.Contains(raw, "#"):
		return nil, fmt.Errorf("storage URL: a # would end it: write %%23 for a # in a name: %w", Invalid)
	}
	return u, nil
}

// parseURL is url.Parse for URLs whose host may be an ARN, the colons of which stand before
// no port: s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/name/prefix.
func parseURL(raw string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(raw, "://")
	if !strings.HasPrefix(rest, "arn:") {
		return url.Parse(raw)
	}
	end := strings.IndexAny(rest+"/", "/?#")
	u, err := url.Parse(scheme + "://" + rest[end:])
	if err != nil || strings.ContainsAny(rest[:end], "%@[] ") {
		return nil, fmt.Errorf("%s: not an ARN in the place of the host: %w", scheme, Invalid)
	}
	u.Host = rest[:end]
	return u, nil
}

// Location is a store's URL and what is given beside it, read and found good.
type Location struct {
	url    string
	params *Params
	open   func() (Bucket, error)
}

// Parse is Open without opening. more may be nil.
func Parse(ctx context.Context, rawURL string, more Overrides) (*Location, error) {
	u, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	l := &Location{url: RedactURL(rawURL)}
	openers.RLock()
	o := openers.m[u.Scheme]
	openers.RUnlock()
	if o == nil {
		return nil, fmt.Errorf("storage URL %s: unknown scheme %q, known ones are %s: %w",
			l.url, u.Scheme, strings.Join(Schemes(), ", "), Invalid)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("storage URL %s: query is malformed: %w", l.url, Invalid)
	}
	l.params = NewParams(q).WithOverrides(more)
	if l.open, err = o(ctx, u, l.params); err != nil {
		return nil, fmt.Errorf("storage URL %s: %w", l.url, err)
	}
	return l, nil
}

// Settings are all parameters of the URL's scheme, and what each came to.
func (l *Location) Settings() []Setting { return l.params.Settings() }

// Open makes the Bucket, once.
func (l *Location) Open() (Bucket, error) {
	b, err := l.open()
	if err != nil {
		return nil, fmt.Errorf("storage URL %s: %w", l.url, err)
	}
	return b, nil
}
