package driver

import (
	"fmt"
	"slices"
	"strings"
)

// Redacted is told in the place of a secret.
const Redacted = "REDACTED"

// Setting is a parameter and what it came to: what was given, or the default. A value
// of "" is none. That of a secret is Redacted where there is one.
type Setting struct {
	Name, Value string
	Secret      bool
}

// Settings are all parameters that were asked for, in that order.
func (p *Params) Settings() []Setting { return slices.Clone(p.settings) }

// Resolve sets what a parameter came to whose default depends on other things than
// the parameters: a driver's profile, the environment.
func (p *Params) Resolve(name, value string) {
	i := slices.IndexFunc(p.settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		panic("driver: Resolve of " + name + ", which nobody asked for")
	}
	p.settings[i].Value = value
}

// note sets the value of the parameter that was looked up last.
func (p *Params) note(value string) { p.settings[len(p.settings)-1].Value = value }

// Overrides are parameters that are given beside a store's URL, secrets among them. Names
// may leave out the underscores: secretkey is secret_key. Distribution's variables,
// such as REGISTRY_STORAGE_BLOBDOCK_SECRETKEY, can't have any.
type Overrides map[string]string

// String has the names alone.
func (o Overrides) String() string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("%s (values are not shown)", strings.Join(names, ", "))
}

// GoString is String.
func (o Overrides) GoString() string { return o.String() }

// MarshalText is String.
func (o Overrides) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// SameName tells whether the parameter may be written as other beside a URL.
func SameName(name, other string) bool {
	return name == other || strings.ReplaceAll(name, "_", "") == other
}
