package registry

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/limit"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/driver/trace"
	"github.com/blobdock/blobdock/redirect"
)

// Config is a storage section's, read.
type Config struct {
	// URL is the store's, with the store's own options.
	URL string
	// Overrides are the options of the store that stand beside the URL.
	Overrides driver.Overrides
	// Options of the engine:
	//
	//	memory_budget    bytes of all part buffers, such as 256MiB
	//	collection_wait  how long garbage collection waits before it deletes; 1h, the same on all replicas
	//	memory_wait      how long a push waits for a buffer before it is answered 503; 1m
	//	retries          how often a request is made again that failed in passing; 7
	//	throttle_retries the same for requests that the store throttles; 7
	//	retry_delay      upper bound of the first wait before that, which doubles; 100ms
	//	retry_max_delay  upper bound of every wait; 5s
	//	retry_total      upper bound of all waits of one request; 10s
	//	lookup_ttl       how long a blob that was found counts as there; 1m, 0s is not at all
	//	lookups          how many such blobs are kept; 10000
	//	redirect         whether pulls are sent to signed URLs; true
	//	redirect_expiry  how long such a URL works; 20m
	//	redirect_urls    how many of them are kept for reuse; 10000
	//	redirect_min_size             smaller blobs are streamed; 14600B
	//	redirect_networks             clients to redirect, such as 10.0.0.0/8,192.0.2.7; all
	//	redirect_except_networks      clients to stream to
	//	redirect_except_agents        clients to stream to, by a part of their User-Agent
	//	redirect_except_repositories  repositories to stream, such as team/app,public/**
	//	redirect_signer               who signs, such as cloudfront or cloudcdn, with parameters of its
	//	                              own (the package of that name); the store
	//
	// Those that take several values take them separated by commas, or in YAML as
	// a list.
	Options blobstore.Options
	// Limit bounds the requests to the store:
	//
	//	max_requests             how many are under way at the same time; any number
	//	max_requests_per_second  how many begin in a second; any number
	Limit limit.Options
	// Body bounds how slowly requests may send their bodies before they are answered 408:
	//
	//	body_timeout   how long a body may stand still, or how far it may fall behind
	//	               body_min_rate; 1m, 0s is for ever
	//	body_min_rate  bytes per second, such as 500B; 0 is any number
	Body BodyLimits

	// Signatures is whether the registry has the HTTP extension for signatures, which skopeo and
	// podman speak (docs/signatures.md):
	//
	//	signatures  true or false; false
	Signatures bool

	// StorageWait is how long `blobdock serve` waits at its start for a store that can't be
	// reached:
	//
	//	storage_wait  30s; 0s is not at all
	StorageWait time.Duration

	engine []driver.Setting // what URL and Overrides don't have any more
}

// Values of a configuration that names none.
const (
	DefaultMemoryBudget = 256 << 20
	DefaultStorageWait  = 30 * time.Second
)

// ParseConfig reads a storage section. It has a url, with which all other parameters
// may be in the query or beside it; or a driver, with that driver's parameters as
// distribution has them. Secrets are beside the url only. Errors name the parameter and
// what is allowed.
func ParseConfig(section map[string]any) (Config, error) {
	c, err := parseConfig(section)
	if err != nil {
		return Config{}, fmt.Errorf("storage blobdock: %w", err)
	}
	return c, nil
}

func parseConfig(section map[string]any) (c Config, err error) {
	if section, err = fromStock(section); err != nil {
		return c, err
	}
	if c.Overrides, err = scalars(section); err != nil {
		return c, err
	}
	raw := c.Overrides["url"]
	delete(c.Overrides, "url")
	delete(c.Overrides, "useragent") // distribution adds it itself
	if raw == "" {
		return c, fmt.Errorf("url is missing, want such as s3://bucket/prefix?region=eu-west-1: %w", driver.Invalid)
	}
	u, err := driver.ParseURL(raw)
	if err != nil {
		return c, fmt.Errorf("url: %w", err)
	}
	if u.Scheme == "" {
		return c, fmt.Errorf("url is not a URL: %w", driver.Invalid)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return c, fmt.Errorf("url has a malformed query: %w", driver.Invalid)
	}
	if err := c.parseEngine(q, u.Path); err != nil {
		return c, err
	}
	u.RawQuery = q.Encode()
	c.URL = u.String()
	return c, nil
}

// scalars is a section's values as they would stand in a URL.
func scalars(section map[string]any) (driver.Overrides, error) {
	b := make(driver.Overrides, len(section))
	for _, name := range slices.Sorted(maps.Keys(section)) {
		text, err := scalar(section[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b[name] = text
	}
	return b, nil
}

// scalar is a value of YAML as it would stand in a URL.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string, bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			text, err := scalar(item)
			if err == nil && strings.Contains(text, ",") {
				err = fmt.Errorf("%q: want no comma in an item of a list: %w", text, driver.Invalid)
			}
			if err != nil {
				return "", err
			}
			list[i] = text
		}
		return strings.Join(list, ","), nil
	default:
		return "", fmt.Errorf("a value of type %T, want a string, number, boolean or list: %w", v, driver.Invalid)
	}
}

// engineParams are ours; all others are the store's.
var engineParams = []string{
	"memory_budget", "memory_wait", "collection_wait", "max_requests", "max_requests_per_second", "lookup_ttl", "lookups",
	"body_timeout", "body_min_rate", "retries", "throttle_retries", "retry_delay", "retry_max_delay", "retry_total",
	"redirect", "redirect_expiry", "redirect_urls", "redirect_min_size",
	"redirect_networks", "redirect_except_networks", "redirect_except_agents", "redirect_except_repositories",
	"redirect_signer", "signatures", "storage_wait",
}

// configOf is the storage section of a registry's configuration; zero where that is another
// driver's, or wrong: the storage driver is made of the same section, and fails.
func configOf(config *configuration.Configuration) Config {
	if config.Storage.Type() != Name {
		return Config{}
	}
	c, err := ParseConfig(config.Storage.Parameters())
	if err != nil {
		return Config{}
	}
	return c
}

// take moves the parameters that ours holds for from q and b to what it returns.
func take(q url.Values, b driver.Overrides, ours func(name string) bool) *driver.Params {
	taken, overrides := url.Values{}, driver.Overrides{}
	for name, vs := range q {
		if ours(name) {
			taken[name] = vs
			delete(q, name)
		}
	}
	for name, v := range b {
		if ours(name) {
			overrides[name] = v
			delete(b, name)
		}
	}
	return driver.NewParams(taken).WithOverrides(overrides)
}

// parseEngine takes the engine's parameters out of q and c.Overrides. prefix is that of all
// keys.
func (c *Config) parseEngine(q url.Values, prefix string) (err error) {
	o := &c.Options
	p := take(q, c.Overrides, func(name string) bool {
		return slices.ContainsFunc(engineParams, func(known string) bool { return driver.SameName(known, name) })
	})
	defer func() { c.engine = append(p.Settings(), c.engine...) }()
	const most = 100_000_000
	c.Limit = limit.Options{
		Calls: p.Int("max_requests", 0, 1, most),
		Rate:  float64(p.Int("max_requests_per_second", 0, 1, most)),
	}
	o.MemoryBudget = p.Bytes("memory_budget", DefaultMemoryBudget, 16<<20, 1<<40)
	o.CollectionWait = p.Duration("collection_wait", blobstore.DefaultCollectionWait, time.Second, 30*24*time.Hour)
	o.MemoryWait = p.Duration("memory_wait", blobstore.DefaultMemoryWait, time.Second, 24*time.Hour)
	c.Body = BodyLimits{
		Timeout: p.Duration("body_timeout", DefaultBodyTimeout, 0, 24*time.Hour),
		MinRate: p.Bytes("body_min_rate", DefaultBodyMinRate, 0, 1<<40),
	}
	c.Signatures = p.Bool("signatures", false)
	c.StorageWait = p.Duration("storage_wait", DefaultStorageWait, 0, 24*time.Hour)
	if o.LookupTTL = p.Duration("lookup_ttl", blobstore.DefaultLookupTTL, 0, 24*time.Hour); o.LookupTTL == 0 {
		o.LookupTTL = -1
	}
	o.Lookups = p.Int("lookups", blobstore.DefaultLookups, 1, most)
	o.Retry = retry.Policy{
		Attempts:  p.Int("retries", retry.DefaultAttempts-1, 0, 100) + 1,
		Throttled: p.Int("throttle_retries", retry.DefaultThrottled-1, 0, 100) + 1,
		Base:      p.Duration("retry_delay", retry.DefaultBase, time.Millisecond, time.Minute),
		Max:       p.Duration("retry_max_delay", retry.DefaultMax, time.Millisecond, time.Hour),
		Total:     p.Duration("retry_total", retry.DefaultTotal, time.Millisecond, time.Hour),
	}
	o.RedirectExpiry = p.Duration("redirect_expiry", redirect.DefaultExpiry, time.Second, 7*24*time.Hour)
	o.RedirectURLs = p.Int("redirect_urls", redirect.DefaultKept, 1, most)
	o.Redirect = redirect.Policy{
		Off:                !p.Bool("redirect", true),
		MinSize:            p.Bytes("redirect_min_size", redirect.DefaultMinSize, 0, 1<<40),
		ExceptAgents:       p.List("redirect_except_agents"),
		ExceptRepositories: p.List("redirect_except_repositories"),
	}
	signer := p.String("redirect_signer", "")
	networks, except := p.List("redirect_networks"), p.List("redirect_except_networks")
	if err := p.Err(); err != nil {
		return err
	}
	if o.Redirect.Networks, err = redirect.ParseNetworks("redirect_networks", networks); err != nil {
		return err
	}
	if o.Redirect.ExceptNetworks, err = redirect.ParseNetworks("redirect_except_networks", except); err != nil {
		return err
	}
	if signer != "" {
		own := take(q, c.Overrides, func(name string) bool { return strings.HasPrefix(name, signer+"_") })
		if o.Signer, err = redirect.Open(signer, own, prefix); err != nil {
			return err
		}
		c.engine = own.Settings()
	}
	return o.Redirect.Check()
}

// Open makes the engine that c describes. It sends no request. What it does is
// counted among the process's metrics, and traced where the caller is.
func (c Config) Open(ctx context.Context) (*blobstore.Store, error) {
	b, err := c.OpenBucket(ctx)
	if err != nil {
		return nil, err
	}
	end := &closing{Bucket: b}
	s, err := blobstore.New(end, metrics.options(c.Options, b.Features().Name))
	if err != nil {
		_ = b.Close()
		return nil, err
	}
	metrics.stores.add(s)
	end.closed = func() { metrics.stores.remove(s) }
	return s, nil
}

// OpenBucket opens the store alone, whose calls are counted, traced and limited, and
// not repeated.
func (c Config) OpenBucket(ctx context.Context) (driver.Bucket, error) {
	l, err := driver.Parse(ctx, c.URL, c.Overrides)
	if err != nil {
		return nil, err
	}
	b, err := l.Open()
	if err != nil {
		return nil, err
	}
	return limit.Wrap(trace.Wrap(metrics.observe(b)), c.Limit), nil
}

// WithOverrides is c with options of the store for those that c leaves out.
func (c Config) WithOverrides(more driver.Overrides) Config {
	overrides := maps.Clone(c.Overrides)
	for name, value := range more {
		if c.Takes(name) {
			if overrides == nil {
				overrides = driver.Overrides{}
			}
			overrides[name] = value
		}
	}
	c.Overrides = overrides
	return c
}

// Takes reports whether name is an option of c's store that c leaves out.
func (c Config) Takes(name string) bool {
	u, err := driver.ParseURL(c.URL)
	if err != nil {
		return false
	}
	for given := range u.Query() {
		if driver.SameName(name, given) {
			return false
		}
	}
	for given := range c.Overrides {
		if driver.SameName(name, given) {
			return false
		}
	}
	return u.Scheme == "s3" // the only one that has profile and conditions
}

// Settings are all parameters that c could have, the store's and the engine's, with
// what each came to. It asks the store nothing.
func (c Config) Settings(ctx context.Context) ([]driver.Setting, error) {
	l, err := driver.Parse(ctx, c.URL, c.Overrides)
	if err != nil {
		return nil, err
	}
	all := l.Settings()
	for i, s := range all {
		switch {
		case s.Value != "":
		case s.Name == "part_size":
			all[i].Value = driver.FormatBytes(blobstore.DefaultPartSize)
		case s.Name == "concurrency":
			all[i].Value = strconv.Itoa(blobstore.DefaultConcurrency)
		}
	}
	return append(all, c.engine...), nil
}
