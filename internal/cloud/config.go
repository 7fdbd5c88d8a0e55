package cloud

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// CheckURL returns an Invalid error for what a storage URL does not have. bucket is what
// the store calls one, and secrets where credentials come from.
func CheckURL(u *url.URL, bucket, secrets string) error {
	switch {
	case u.User != nil:
		return fmt.Errorf("credentials don't belong into a URL; they come from %s: %w", secrets, driver.Invalid)
	case u.Port() != "":
		return fmt.Errorf("a %s has no port; the store's address goes into the endpoint parameter: %w", bucket, driver.Invalid)
	case u.Fragment != "":
		return fmt.Errorf("a storage URL has no fragment: %w", driver.Invalid)
	}
	return nil
}

// OneOf is the error for a parameter with a value that is not allowed. "" is not
// named: it is the same as to leave the parameter out.
func OneOf[T ~string](name string, got T, allowed []T) error {
	var names []string
	for _, a := range allowed {
		if a != "" {
			names = append(names, string(a))
		}
	}
	return fmt.Errorf("%s %q: want one of %s: %w", name, string(got), strings.Join(names, ", "), driver.Invalid)
}

// CheckEndpoint returns an Invalid error for what is no store's address. It does
// not repeat the endpoint: what is wrong may be a password.
func CheckEndpoint(name, endpoint, example string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%s: want a URL such as %s: %w", name, example, driver.Invalid)
	case u.User != nil:
		return fmt.Errorf("%s: credentials don't belong into a URL: %w", name, driver.Invalid)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: want a URL without query and fragment: %w", name, driver.Invalid)
	}
	return nil
}

// EscapePath escapes each segment of a path, and "+" with them: PathEscape leaves it
// alone, and some readers take it for a space.
func EscapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.PathEscape(s), "+", "%2B")
	}
	return strings.Join(segments, "/")
}

// Prefix is what stands before all keys on the wire: "", or with a "/" at its end.
type Prefix string

// NewPrefix puts p into that form.
func NewPrefix(p string) (Prefix, error) {
	p = strings.Trim(p, "/")
	if p == "" {
		return "", nil
	}
	if err := driver.CheckKey(p); err != nil {
		return "", fmt.Errorf("prefix: %w", err)
	}
	return Prefix(p + "/"), nil
}

// CheckKey is driver.CheckKey with the prefix counted.
func (p Prefix) CheckKey(key string) error {
	if err := driver.CheckKey(key); err != nil {
		return err
	}
	if n := len(p) + len(key); n > driver.MaxKey {
		return fmt.Errorf("key has %d bytes with the bucket's prefix, at most %d are allowed: %w", n, driver.MaxKey, driver.Invalid)
	}
	return nil
}

// Full is key as the store knows it.
func (p Prefix) Full(key string) string { return string(p) + key }

// Cut is Full's inverse. What has no key of ours, as another's object outside the
// prefix, is not ours.
func (p Prefix) Cut(name string) (key string, ours bool) {
	key, ours = strings.CutPrefix(name, string(p))
	return key, ours && key != ""
}
