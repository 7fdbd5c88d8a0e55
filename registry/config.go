package registry

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// Config is a storage section's, read.
type Config struct {
	// URL is the store's, with the store's own options.
	URL string
	// Options of the engine:
	//
	//	memory_budget    bytes of all part buffers, such as 256MiB
	//	redirect         whether pulls are sent to signed URLs; true
	//	redirect_expiry  how long such a URL works; 20m
	Options blobstore.Options
}

// DefaultMemoryBudget is that of a configuration that names none.
const DefaultMemoryBudget = 256 << 20

// ParseConfig reads a storage section. "url" is required; all others may be in
// the URL's query or beside it, with the same names. Errors name the parameter
// and what is allowed.
func ParseConfig(section map[string]any) (Config, error) {
	raw, _ := section["url"].(string)
	if raw == "" {
		return Config{}, fmt.Errorf("storage blobdock: url is missing, want such as s3://bucket/prefix?region=eu-west-1: %w", driver.Invalid)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Config{}, fmt.Errorf("storage blobdock: url is not a URL: %w", driver.Invalid)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("storage blobdock: url has a malformed query: %w", driver.Invalid)
	}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		switch v := section[name].(type) {
		case string, bool, int, int64, uint64, float64:
			if name == "url" || name == "useragent" { // distribution adds the latter itself
				continue
			}
			if q.Has(name) {
				return Config{}, fmt.Errorf("storage blobdock: %s is given in the url and beside it: %w", name, driver.Invalid)
			}
			q.Set(name, fmt.Sprint(v))
		default:
			return Config{}, fmt.Errorf("storage blobdock: %s has a value of type %T, want a string, number or boolean: %w", name, v, driver.Invalid)
		}
	}

	engine := url.Values{}
	for _, name := range []string{"memory_budget", "redirect", "redirect_expiry"} {
		if vs, ok := q[name]; ok {
			engine[name] = vs
			q.Del(name)
		}
	}
	p := driver.NewParams(engine)
	var c Config
	c.Options.MemoryBudget = p.Bytes("memory_budget", DefaultMemoryBudget, 16<<20, 1<<40)
	c.Options.RedirectExpiry = p.Duration("redirect_expiry", 20*time.Minute, time.Second, 7*24*time.Hour)
	if !p.Bool("redirect", true) {
		c.Options.RedirectExpiry = -1
	}
	if err := p.Err(); err != nil {
		return Config{}, fmt.Errorf("storage blobdock: %w", err)
	}
	u.RawQuery = q.Encode()
	c.URL = u.String()
	return c, nil
}

// Open makes the engine that c describes. It sends no request.
func (c Config) Open(ctx context.Context) (*blobstore.Store, error) {
	b, err := driver.Open(ctx, c.URL)
	if err != nil {
		return nil, err
	}
	s, err := blobstore.New(b, c.Options)
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	return s, nil
}
