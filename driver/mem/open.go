package mem

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

func init() { driver.Register("mem", openURL) }

// named are the stores opened by URL, which live as long as the process.
var named struct {
	sync.Mutex
	m map[string]*store
}

// openURL opens mem://name/prefix. Buckets of the same name share their objects.
func openURL(_ context.Context, u *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
	if u.Host == "" {
		return nil, fmt.Errorf("want mem://name/prefix: %w", driver.Invalid)
	}
	const most = 1<<63 - 1
	l := driver.PartLimits{
		MinSize:   p.Bytes("part_min", minPart, 0, most),
		MaxSize:   p.Bytes("part_max", maxPart, 1, most),
		MaxParts:  p.Int("parts_max", maxParts, 1, 1<<31-1),
		MaxObject: p.Bytes("object_max", maxObject, 1, most),
		MaxPut:    p.Bytes("put_max", maxPut, 1, most),
		Uniform:   p.Bool("uniform", false),
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		if err := driver.CheckKey(prefix); err != nil {
			return nil, fmt.Errorf("prefix: %w", err)
		}
		prefix += "/"
	}
	return func() (driver.Bucket, error) {
		return &Bucket{prefix: prefix, options: Options{Parts: l}, limits: l, store: storeNamed(u.Host)}, nil
	}, nil
}

func storeNamed(name string) *store {
	named.Lock()
	defer named.Unlock()
	s := named.m[name]
	if s == nil {
		s = newStore(Options{})
		if named.m == nil {
			named.m = make(map[string]*store)
		}
		named.m[name] = s
	}
	return s
}
