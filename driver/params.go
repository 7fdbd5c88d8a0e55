package driver

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params reads the parameters of a store's URL. A driver asks for each parameter that
// it knows; Err then reports the first bad value, or a name nobody asked for, in
// words that list what is allowed. Settings tells what came of it.
type Params struct {
	values    url.Values
	overrides Overrides
	settings  []Setting
	err       error
}

// NewParams reads q, which it does not change.
func NewParams(q url.Values) *Params { return &Params{values: q} }

// WithOverrides adds the parameters that are given beside the URL.
func (p *Params) WithOverrides(o Overrides) *Params {
	p.overrides = o
	return p
}

// String is the value of name, or def. When allowed is given, the value must be
// one of it.
func (p *Params) String(name, def string, allowed ...string) string {
	v, ok := p.lookup(name)
	if !ok {
		v = def
	} else if len(allowed) > 0 && !slices.Contains(allowed, v) {
		p.fail(name, v, "one of "+strings.Join(allowed, ", "))
		return def
	}
	p.note(v)
	return v
}

// Secret is the value of name, by [TrimSecret], which may stand beside the URL only: a URL gets
// into logs and lists of processes.
func (p *Params) Secret(name string) string {
	v, ok := p.lookup(name)
	if p.values.Has(name) {
		if p.err == nil {
			p.err = fmt.Errorf("parameter %s: a secret does not belong into a URL, but beside it: %w", name, Invalid)
		}
		return ""
	}
	s := &p.settings[len(p.settings)-1]
	if s.Secret = true; ok {
		s.Value = Redacted
	}
	return TrimSecret(v)
}

// Bool accepts what strconv.ParseBool does, and on, off, yes, no.
func (p *Params) Bool(name string, def bool) bool {
	b := p.OptionalBool(name)
	if b == nil {
		p.note(strconv.FormatBool(def))
		return def
	}
	return *b
}

// OptionalBool is Bool for what has no default of its own: nil where it is not given.
func (p *Params) OptionalBool(name string) *bool {
	v, ok := p.lookup(name)
	if !ok {
		return nil
	}
	b, err := strconv.ParseBool(v)
	switch strings.ToLower(v) {
	case "on", "yes":
		b, err = true, nil
	case "off", "no":
		b, err = false, nil
	}
	if err != nil {
		p.fail(name, v, "true or false")
		return nil
	}
	p.note(strconv.FormatBool(b))
	return &b
}

// Int accepts a whole number from lo to hi.
func (p *Params) Int(name string, def, lo, hi int) int {
	return within(p, name, def, lo, hi, strconv.Atoi, strconv.Itoa,
		fmt.Sprintf("a whole number from %d to %d", lo, hi))
}

// Duration accepts what time.ParseDuration does, from lo to hi.
func (p *Params) Duration(name string, def, lo, hi time.Duration) time.Duration {
	return within(p, name, def, lo, hi, time.ParseDuration, time.Duration.String,
		fmt.Sprintf("a duration from %v to %v, such as 20m", lo, hi))
}

// Bytes accepts a size from lo to hi: bytes, or with a unit as in 16MiB or 16MB.
func (p *Params) Bytes(name string, def, lo, hi int64) int64 {
	return within(p, name, def, lo, hi, ParseBytes, FormatBytes,
		fmt.Sprintf("a size from %s to %s, such as 16MiB", FormatBytes(lo), FormatBytes(hi)))
}

// within reads a value from lo to hi. A default that is not in between stands for
// none, and is noted as such.
func within[T int | int64 | time.Duration](p *Params, name string, def, lo, hi T, parse func(string) (T, error), format func(T) string, want string) T {
	v, ok := p.lookup(name)
	if !ok {
		if lo <= def && def <= hi {
			p.note(format(def))
		}
		return def
	}
	n, err := parse(v)
	if err != nil || n < lo || n > hi {
		p.fail(name, v, want)
		return def
	}
	p.note(format(n))
	return n
}

// List is the values of name, separated by commas; spaces around them are cut.
func (p *Params) List(name string) []string {
	v, ok := p.lookup(name)
	if !ok {
		return nil
	}
	list := strings.Split(v, ",")
	for i, s := range list {
		if list[i] = strings.TrimSpace(s); list[i] == "" {
			p.fail(name, v, "values separated by commas")
		}
	}
	p.note(strings.Join(list, ","))
	return list
}

// Err is the first problem: a bad value, a name given twice, or an unknown name.
func (p *Params) Err() error {
	if p.err != nil {
		return p.err
	}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.ContainsFunc(p.settings, func(s Setting) bool { return s.Name == name }) {
			return p.unknown(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.overrides)) {
		if !slices.ContainsFunc(p.settings, func(s Setting) bool { return SameName(s.Name, name) }) {
			return p.unknown(name)
		}
	}
	return nil
}

func (p *Params) unknown(name string) error {
	known := make([]string, len(p.settings))
	for i, s := range p.settings {
		known[i] = s.Name
	}
	slices.Sort(known)
	return fmt.Errorf("unknown parameter %q, valid ones are %s: %w", name, strings.Join(known, ", "), Invalid)
}

// lookup notes that there is a parameter of that name, as yet without a value.
func (p *Params) lookup(name string) (string, bool) {
	p.settings = append(p.settings, Setting{Name: name})
	vs := p.values[name]
	for other, v := range p.overrides {
		if !SameName(name, other) {
			continue
		}
		if len(vs) > 0 {
			if p.err == nil {
				p.err = fmt.Errorf("parameter %s is given twice, as %s beside the URL: %w", name, other, Invalid)
			}
			return "", false
		}
		vs = []string{v}
	}
	switch len(vs) {
	case 0:
		return "", false
	case 1:
		return vs[0], vs[0] != ""
	}
	if p.err == nil {
		p.err = fmt.Errorf("parameter %q is given %d times: %w", name, len(vs), Invalid)
	}
	return "", false
}

func (p *Params) fail(name, value, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("parameter %s=%q: want %s: %w", name, value, want, Invalid)
	}
}

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// ParseBytes reads a size: a whole number, optionally with a unit from B to TB
// (powers of 1,000) or KiB to TiB (powers of 1,024), in any case.
func ParseBytes(s string) (int64, error) {
	digits, factor := s, int64(1)
	for _, u := range byteUnits {
		if len(s) > len(u.suffix) && strings.EqualFold(s[len(s)-len(u.suffix):], u.suffix) {
			digits, factor = s[:len(s)-len(u.suffix)], u.factor
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)/factor {
		return 0, fmt.Errorf("size %q: want a whole number of bytes, or one with a unit such as 16MiB: %w", s, Invalid)
	}
	return n * factor, nil
}

// FormatBytes writes n in the largest binary unit that divides it.
func FormatBytes(n int64) string {
	for _, u := range byteUnits[:4] {
		if n != 0 && n%u.factor == 0 {
			return fmt.Sprintf("%d%s", n/u.factor, u.suffix)
		}
	}
	return fmt.Sprintf("%dB", n)
}
