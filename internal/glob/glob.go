// Package glob matches repositories' names with patterns: those of path.Match, in
// which "*" is within one component of a name, and "**" as the last component for
// all below: "team/app", "team/*", "team-*/**", or "**" for all there are.
package glob

import (
	"path"
	"strings"
)

// Valid reports whether pattern is one.
func Valid(pattern string) bool {
	_, err := path.Match(pattern, "")
	above, _ := strings.CutSuffix("/"+pattern, "/**")
	return err == nil && !strings.Contains(above, "**")
}

// Literal reports whether pattern matches one name only, which is itself.
func Literal(pattern string) bool { return !strings.ContainsAny(pattern, `*?[\`) }

// Match reports whether name is one of those that pattern, which is valid, is for.
func Match(pattern, name string) bool {
	above, all := strings.CutSuffix("/"+pattern, "/**")
	if !all {
		ok, _ := path.Match(pattern, name)
		return ok
	}
	names := strings.Split("/"+name, "/")
	depth := strings.Count(above, "/") + 1
	if len(names) <= depth {
		return false
	}
	ok, _ := path.Match(above, strings.Join(names[:depth], "/"))
	return ok
}
