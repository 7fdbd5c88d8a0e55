package retention_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/retention"
)

const day = 24 * time.Hour

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// tagged are tags by their ages in days.
func tagged(ages map[string]int) (tags []retention.Tag) {
	for name, age := range ages {
		tags = append(tags, retention.Tag{Name: name, Pushed: now.Add(-time.Duration(age) * day)})
	}
	return tags
}

func TestDecide(t *testing.T) {
	ages := map[string]int{"pr-1": 40, "pr-2": 20, "pr-3": 10, "pr-release": 90, "v1": 300, "latest": 1}
	for _, tt := range []struct {
		name, policy string
		repository   string
		gone         []string
		spared       bool
	}{
		{"by age", `{repositories: ["**"], tags: ["pr-*"], keep: {younger_than: 360h}}`, "team/app", []string{"pr-1", "pr-2", "pr-release"}, false},
		{"by number", `{repositories: ["team/*"], tags: ["pr-*"], keep: {last: 2}}`, "team/app", []string{"pr-1", "pr-release"}, false},
		{"any keeps", `{repositories: ["team/*"], tags: ["pr-*"], keep: {last: 1, younger_than: 600h, match: ["pr-rel*"]}}`, "team/app", []string{"pr-1"}, false},
		{"another repository", `{repositories: ["team/*"], tags: ["*"], keep: {last: 1}}`, "other", nil, false},
		{"a repository below", `{repositories: ["team/*"], tags: ["*"], keep: {last: 1}}`, "team/app/part", nil, false},
		{"all but one", `{repositories: ["**"], tags: ["*"], keep: {last: 1}}`, "team/app", []string{"pr-1", "pr-2", "pr-3", "pr-release", "v1"}, false},
		{"another rule keeps", `{repositories: ["**"], tags: ["*"], keep: {last: 1}}
  - {repositories: ["team/app"], tags: ["v*", "pr-1"], keep: {last: 5}}`, "team/app", []string{"pr-2", "pr-3", "pr-release"}, false},
		{"none would be left", `{repositories: ["**"], tags: ["*"], keep: {younger_than: 1h}}`, "team/app", nil, true},
		{"none is left", `{repositories: ["**"], tags: ["*"], keep: {younger_than: 1h}, empty: true}`, "team/app", []string{"latest", "pr-1", "pr-2", "pr-3", "pr-release", "v1"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := retention.Parse([]byte("rules:\n  - " + tt.policy))
			if err != nil {
				t.Fatal(err)
			}
			gone, spared := p.Decide(tt.repository, tagged(ages), now, time.Time{})
			var names []string
			for _, it := range gone {
				names = append(names, it.Name)
			}
			if !slices.Equal(names, tt.gone) || spared != tt.spared {
				t.Errorf("gone %q, spared %t; want %q, %t", names, spared, tt.gone, tt.spared)
			}
		})
	}
}

// TestPulledWithin keeps what was pulled, and everything as long as that is not known.
func TestPulledWithin(t *testing.T) {
	p, err := retention.Parse([]byte(`rules: [{repositories: ["**"], tags: ["pr-*"], keep: {pulled_within: 240h}}]`))
	if err != nil {
		t.Fatal(err)
	}
	tags := tagged(map[string]int{"pr-pulled": 90, "pr-old": 90, "pr-never": 1, "v1": 300})
	for i := range tags {
		switch tags[i].Name {
		case "pr-pulled":
			tags[i].Pulled = now.Add(-9 * day)
		case "pr-old":
			tags[i].Pulled = now.Add(-11 * day)
		}
	}
	for recorded, want := range map[time.Time][]string{
		now.Add(-11 * day): {"pr-never", "pr-old"},
		now.Add(-9 * day):  nil, // what was pulled before is not known
		{}:                 nil,
	} {
		gone, spared := p.Decide("app", tags, now, recorded)
		var names []string
		for _, it := range gone {
			names = append(names, it.Name)
		}
		if !slices.Equal(names, want) || spared {
			t.Errorf("recorded since %v: gone %q, want %q", recorded, names, want)
		}
	}
}

// TestUnknownAge keeps a tag whose age the store does not tell.
func TestUnknownAge(t *testing.T) {
	p, err := retention.Parse([]byte(`rules: [{repositories: ["**"], tags: ["*"], keep: {younger_than: 1h}, empty: true}]`))
	if err != nil {
		t.Fatal(err)
	}
	if gone, _ := p.Decide("app", []retention.Tag{{Name: "v1"}}, now, time.Time{}); len(gone) > 0 {
		t.Errorf("gone: %v", gone)
	}
}

func TestBadPolicy(t *testing.T) {
	for text, field := range map[string]string{
		"":          "rules",
		"rules: []": "rules",
		`rules: [{tags: ["*"], keep: {last: 1}}]`:                                               "rules[0].repositories",
		`rules: [{repositories: ["**"], keep: {last: 1}}]`:                                      "rules[0].tags",
		`rules: [{repositories: ["**"], tags: ["*"]}]`:                                          "rules[0].keep",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {match: ["v*"]}}]`:                   "rules[0].keep",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {last: -1}}]`:                        "rules[0].keep.last",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {younger_than: -1h}}]`:               "rules[0].keep.younger_than",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {pulled_within: -1h}}]`:              "rules[0].keep.pulled_within",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {pulled_within: 20000h}}]`:           "rules[0].keep.pulled_within",
		`rules: [{repositories: ["a/**/b"], tags: ["*"], keep: {last: 1}}]`:                     "rules[0].repositories",
		`rules: [{repositories: ["**"], tags: ["["], keep: {last: 1}}]`:                         "rules[0].tags",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {last: 1}, keeps: {}}]`:              "keeps",
		`rules: [{repositories: ["**"], tags: ["*"], keep: {younger_than: "a day"}}]`:           "a day",
		"rules:\n  - repositories: [\"**\"]\n    tags: [\"*\"]\n    keep: {last: 1}\nmore: yes": "more",
	} {
		if _, err := retention.Parse([]byte(text)); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), field) {
			t.Errorf("%q: %v, want Invalid that names %s", text, err, field)
		}
	}
}
