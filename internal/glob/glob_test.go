package glob_test

import (
	"testing"

	"github.com/blobdock/blobdock/internal/glob"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"team/app", "team/app", true},
		{"team/app", "team/app/web", false},
		{"team/*", "team/app", true},
		{"team/*", "team/app/web", false},
		{"team/**", "team/app/web", true},
		{"team/**", "team", false},
		{"team/**", "teamster/app", false},
		{"team-*/**", "team-a/app/x", true},
		{"team-*/**", "other/team-a/x", false},
		{"**", "a/b", true},
		{"*/**", "a", false},
		{"v1.?", "v1.2", true},
	} {
		if got := glob.Match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

func TestValid(t *testing.T) {
	for pattern, want := range map[string]bool{
		"a": true, "team/*": true, "team/**": true, "**": true, "*/**": true,
		"team/[a": false, "a/**/b": false, "a**": false, "**/**": false,
	} {
		if got := glob.Valid(pattern); got != want {
			t.Errorf("Valid(%q) = %v, want %v", pattern, got, want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for pattern, want := range map[string]bool{"team/app": true, "v1.0": true, "team/*": false, "v?": false, "[ab]": false, `a\b`: false} {
		if got := glob.Literal(pattern); got != want {
			t.Errorf("Literal(%q) = %v, want %v", pattern, got, want)
		}
	}
}
