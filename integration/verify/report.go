package verify

import (
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/probe"
)

// Report is what a run found.
type Report struct {
	Began    time.Time
	Took     time.Duration
	Version  string // blobdock's
	Prefix   string // that the objects had
	bucket   string // the name that Markdown leaves out
	Features driver.Features
	Settings []driver.Setting // of the driver

	Answers   []Answer
	Steps     []Step
	Checks    []probe.Result
	Clauses   []Clause
	SuiteSaid []string // by the conformance suite, outside of its clauses
	Broken    []Broken

	Removal     Removal
	Interrupted bool
	Requests    int64 // without those of the conformance suite
	Throttled   int64 // requests that were sent again
}

// Broken is a part of a run that could not be made.
type Broken struct {
	Part string
	Err  error
}

// Failures are what blobdock needs and the store did not do, one line each. A different
// answer to a question is none.
func (r *Report) Failures() []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, b := range r.Broken {
		add("%s: %v", b.Part, b.Err)
	}
	for _, s := range r.Steps {
		if s.Err != nil {
			add("registry: %s: %v", s.Name, s.Err)
		}
	}
	for _, c := range r.Checks {
		if c.Status == probe.Failed {
			add("probe: %s: %v", c.Check, c.Err)
		}
	}
	for _, c := range r.Clauses {
		if !c.Passed {
			add("conformance: %s: %s", c.Name, c.why())
		}
	}
	for _, a := range r.Answers {
		if a.Verdict == Unanswered {
			add("question %s: %v", a.Name, a.Err)
		}
	}
	for _, left := range r.Removal.Left {
		add("not removed: %s", left)
	}
	if r.Interrupted {
		add("interrupted, or out of time")
	}
	return all
}

// Answer returns the answer to a question. It is false when the question was not asked.
func (r *Report) Answer(name string) (Answer, bool) {
	for _, a := range r.Answers {
		if a.Name == name {
			return a, true
		}
	}
	return Answer{}, false
}

// why is how a clause that has not passed begins to tell what is wrong.
func (c Clause) why() string {
	switch {
	case !c.Ended:
		return "it did not end"
	case len(c.Said) == 0:
		return "it does not say why"
	}
	return c.Said[0]
}

// said is the answer in one line.
func (a Answer) said() string {
	switch {
	case a.Err != nil:
		return string(a.Verdict) + ": " + a.Err.Error()
	case a.Detail != "":
		return fmt.Sprintf("%s (%s); %s", a.Found, a.Detail, a.Verdict)
	}
	return a.Found + "; " + string(a.Verdict)
}

// said is the outcome in one line.
func (s Step) said() string {
	switch {
	case s.Unused:
		return "not offered"
	case s.Err != nil:
		return "failed: " + s.Err.Error()
	}
	return "ok"
}
