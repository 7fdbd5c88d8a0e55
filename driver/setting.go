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

// Beside is parameters that are given beside a store's URL, secrets among them. Names
// may leave out the underscores: secretkey is secret_key. Distribution's variables,
// such as REGISTRY_STORAGE_BLOBDOCK_SECRETKEY, can't have any.
type Beside map[string]string

// String has the names alone.
func (b Beside) String() string {
	names := make([]string, 0, len(b))
	for name := range b {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("%s (values are not shown)", strings.Join(names, ", "))
}

// GoString is String.
func (b Beside) GoString() string { return b.String() }

// MarshalText is String.
func (b Beside) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// SameName tells whether the parameter may be written as other beside a URL.
func SameName(name, other string) bool {
	return name == other || strings.ReplaceAll(name, "_", "") == other
}
