package usage

import (
	"iter"
	"strings"
	"sync"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/internal/survey"
)

// teams keeps what the teams have whose repositories are being looked at. What a team has is
// kept until the last of its repositories was looked at: not for longer, as there may be many
// teams, and not for less, as repositories are looked at in no order.
type teams struct {
	layout layout.Layout

	mu   sync.Mutex
	open map[string]*team
}

type team struct {
	has survey.Set
	due int // repositories that are listed, and not looked at
}

func newTeams(l layout.Layout) *teams { return &teams{layout: l, open: make(map[string]*team)} }

// teamOf is the team of a repository.
func teamOf(repository string) string {
	name, _, _ := strings.Cut(repository, "/")
	return name
}

// watch notes which repositories come by in a listing. Those of a team come one after the other,
// and so do the keys of a repository. survey.Walk visits a repository when a key of the next one
// has come, so that a team that has none due is complete.
func (x *teams) watch(listing iter.Seq2[driver.Entry, error]) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		own := "" // the prefix of the keys of the repository
		for e, err := range listing {
			if err == nil && (own == "" || !strings.HasPrefix(e.Key, own)) {
				if name, ok := x.layout.Parse(e.Key); ok {
					own = x.layout.Repository(name.Repo) + "_"
					x.begin(teamOf(name.Repo))
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// begin notes a repository of a team.
func (x *teams) begin(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open[name] == nil {
		x.open[name] = new(team)
	}
	x.open[name].due++
}

// get is the team of a repository that is being looked at.
func (x *teams) get(name string) *team {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.open[name]
}

// done notes that a repository of a team was looked at.
func (x *teams) done(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.open[name]
	if t.due--; t.due == 0 {
		delete(x.open, name)
	}
}
