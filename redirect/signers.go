package redirect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/blobdock/blobdock/driver"
)

// Opener makes a Signer from the parameters that begin with its name and "_", and
// the prefix of all keys in the bucket. It asks for each parameter that it knows and
// then for p.Err.
type Opener func(p *driver.Params, prefix string) (Signer, error)

var openers struct {
	sync.RWMutex
	m map[string]Opener
}

// Register makes a signer known to Open, such as a CDN's. It is meant to be called
// from an init, as in database/sql, and panics when the name is taken.
func Register(name string, o Opener) {
	openers.Lock()
	defer openers.Unlock()
	if _, dup := openers.m[name]; dup {
		panic("redirect: Register called twice for " + name)
	}
	if openers.m == nil {
		openers.m = make(map[string]Opener)
	}
	openers.m[name] = o
}

// Signers lists the registered names in order.
func Signers() []string {
	openers.RLock()
	defer openers.RUnlock()
	return slices.Sorted(maps.Keys(openers.m))
}

// Open makes the Signer of that name.
func Open(name string, p *driver.Params, prefix string) (Signer, error) {
	openers.RLock()
	o := openers.m[name]
	openers.RUnlock()
	if o == nil {
		return nil, fmt.Errorf("redirect_signer %q: want one of %s, or none for the store's own: %w", name, strings.Join(Signers(), ", "), driver.Invalid)
	}
	return o(p, prefix)
}
