// Package retention deletes tags by a policy. Garbage collection frees what only they kept.
package retention

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/glob"
	"github.com/blobdock/blobdock/internal/pulls"
)

// Policy tells which tags go. A tag that no rule is for stays, and so does one that any rule
// keeps.
type Policy struct {
	Rules []Rule `yaml:"rules"`
}

// Rule is for some tags of some repositories.
type Rule struct {
	// Repositories are patterns of names, such as "team/app", "team/*" or "team/**".
	Repositories []string `yaml:"repositories"`
	// Tags are patterns as of path.Match, such as "pr-*".
	Tags []string `yaml:"tags"`
	Keep Keep     `yaml:"keep"`
	// Empty lets the rule take the last tag of a repository. Without it, a repository that would
	// be left without tags keeps all of them.
	Empty bool `yaml:"empty"`
}

// Keep is what a rule keeps of the tags that it is for: what any of these keeps.
type Keep struct {
	// Last is how many of them, the youngest by when the tag was last pushed.
	Last int `yaml:"last"`
	// YoungerThan is the age of the tag by the store's clock.
	YoungerThan time.Duration `yaml:"younger_than"`
	// PulledWithin is how long ago the tag, or its manifest by digest, was pulled last. Pulls are
	// known since registries record them (option pulls of the middleware); a tag stays as long as
	// that is less ago than this.
	PulledWithin time.Duration `yaml:"pulled_within"`
	// Match are patterns of tags.
	Match []string `yaml:"match"`
}

// Tag is a tag of a repository.
type Tag struct {
	Name   string
	Pushed time.Time // when the tag was written last
	Pulled time.Time // when it was pulled last, or up to an hour later; zero is not since pulls are recorded
}

// Parse reads a policy in YAML. Invalid names the field that is wrong.
//
//	rules:
//	  - repositories: ["team/**"]
//	    tags: ["pr-*"]
//	    keep:
//	      last: 10
//	      younger_than: 720h
//	      pulled_within: 720h
//	      match: ["pr-release-*"]
func Parse(text []byte) (Policy, error) {
	var p Policy
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("retention policy: %w: %w", driver.Invalid, err)
	}
	return p, p.Check()
}

// Check returns an Invalid error that names the field that is wrong.
func (p Policy) Check() error {
	if len(p.Rules) == 0 {
		return fmt.Errorf("retention policy: rules: want one or more: %w", driver.Invalid)
	}
	for i, r := range p.Rules {
		wrong := func(field, want string, args ...any) error {
			return fmt.Errorf("retention policy: rules[%d].%s: "+want+": %w", append(append([]any{i, field}, args...), driver.Invalid)...)
		}
		switch {
		case len(r.Repositories) == 0:
			return wrong("repositories", `want one or more patterns, such as "team/**"`)
		case len(r.Tags) == 0:
			return wrong("tags", `want one or more patterns, such as "pr-*"; "*" is all`)
		case r.Keep.Last < 0:
			return wrong("keep.last", "%d: want 0 or more", r.Keep.Last)
		case r.Keep.YoungerThan < 0:
			return wrong("keep.younger_than", "%v: want 0s or more", r.Keep.YoungerThan)
		case r.Keep.PulledWithin < 0 || r.Keep.PulledWithin > pulls.MaxAge:
			return wrong("keep.pulled_within", "%v: want 0s to %v", r.Keep.PulledWithin, pulls.MaxAge)
		case r.Keep.Last == 0 && r.Keep.YoungerThan == 0 && r.Keep.PulledWithin == 0:
			return wrong("keep", "want last, younger_than or pulled_within, so that not everything goes at once")
		}
		for _, pattern := range r.Repositories {
			if !glob.Valid(pattern) {
				return wrong("repositories", "%q: want a name such as team/app, team/* or team/**", pattern)
			}
		}
		for _, pattern := range slices.Concat(r.Tags, r.Keep.Match) {
			if _, err := path.Match(pattern, ""); err != nil {
				return wrong("tags", "%q: %w", pattern, err)
			}
		}
	}
	return nil
}

// Decide returns the tags of a repository that go, in order; spared is that all of them would,
// and stay. Pulls are recorded since recorded; the zero time is that they are not.
func (p Policy) Decide(repository string, tags []Tag, now, recorded time.Time) (gone []Tag, spared bool) {
	named, kept := make(map[string]bool), make(map[string]bool)
	empty := false
	for _, r := range p.Rules {
		if !r.isFor(repository) {
			continue
		}
		var of []Tag
		for _, t := range tags {
			if matches(r.Tags, t.Name) {
				of = append(of, t)
			}
		}
		slices.SortFunc(of, func(a, b Tag) int { return cmp.Or(b.Pushed.Compare(a.Pushed), cmp.Compare(a.Name, b.Name)) })
		for i, t := range of {
			named[t.Name] = true
			// A tag whose age is not known is young.
			if i < r.Keep.Last || matches(r.Keep.Match, t.Name) || t.Pushed.IsZero() ||
				r.Keep.YoungerThan > 0 && t.Pushed.After(now.Add(-r.Keep.YoungerThan)) || r.Keep.pulled(t, now, recorded) {
				kept[t.Name] = true
			}
		}
		empty = empty || r.Empty
	}
	for _, t := range tags {
		if named[t.Name] && !kept[t.Name] {
			gone = append(gone, t)
		}
	}
	slices.SortFunc(gone, func(a, b Tag) int { return cmp.Compare(a.Name, b.Name) })
	if len(gone) > 0 && len(gone) == len(tags) && !empty {
		return nil, true
	}
	return gone, false
}

func (r Rule) isFor(repository string) bool {
	return slices.ContainsFunc(r.Repositories, func(pattern string) bool { return glob.Match(pattern, repository) })
}

// pulled reports whether the tag was pulled within the time, as far as that is known.
func (k Keep) pulled(t Tag, now, recorded time.Time) bool {
	if k.PulledWithin == 0 {
		return false
	}
	after := now.Add(-k.PulledWithin)
	return recorded.IsZero() || recorded.After(after) || t.Pulled.After(after)
}

// asksForPulls reports whether it matters when tags of the repository, "" for any, were pulled.
func (p Policy) asksForPulls(repository string) bool {
	return slices.ContainsFunc(p.Rules, func(r Rule) bool {
		return r.Keep.PulledWithin > 0 && (repository == "" || r.isFor(repository))
	})
}

// note tells that tags stay because pulls are recorded since recorded only.
func (p Policy) note(recorded, now time.Time) string {
	var longest time.Duration
	for _, r := range p.Rules {
		longest = max(longest, r.Keep.PulledWithin)
	}
	until := recorded.Add(longest)
	switch {
	case recorded.IsZero():
		return "pulls are not recorded: tags of rules with pulled_within stay (maintenance.pulls has the registry record them)"
	case until.After(now):
		return fmt.Sprintf("pulls are recorded since %s: tags of rules with pulled_within may stay until %s", recorded.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	}
	return ""
}

func matches(patterns []string, tag string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, tag)
		return ok
	})
}
