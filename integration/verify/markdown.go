package verify

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/probe"
)

// Markdown is the report for an issue on GitHub. It holds neither credentials nor the
// queries of signed URLs, and does not name the bucket.
func (r *Report) Markdown() string {
	w := new(page)
	w.line("# %s verified by blobdock", r.Features.Name)
	w.line("")
	r.summary(w)
	r.answers(w)
	r.steps(w)
	r.checks(w)
	r.clauses(w)
	r.offered(w)
	return clean(nameless(w.String(), r.bucket))
}

// page is text under way.
type page struct{ strings.Builder }

func (w *page) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// heading begins a section with a table.
func (w *page) heading(title string, columns ...string) {
	w.line("\n## %s\n", title)
	w.row(columns...)
	w.line("|%s", strings.Repeat("---|", len(columns)))
}

// row is a row of a table.
func (w *page) row(cells ...string) {
	for i, c := range cells {
		c = strings.Join(strings.Fields(c), " ")
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	w.line("| %s |", strings.Join(cells, " | "))
}

// told are the settings that say which store it is and how it is used. Others may name
// what is nobody's business.
var told = []string{
	"profile", "region", "realm", "universe_domain", "path_style", "list_version", "checksum", "conditions", "dual_stack", "fips", "accelerate",
	"sse", "storage_class", "tier", "credential", "anonymous", "part_size", "part_copy", "copy_part_size", "copy_threshold",
}

func (r *Report) summary(w *page) {
	w.row("", "")
	w.line("|---|---|")
	w.row("date", r.Began.UTC().Format("2006-01-02 15:04 UTC"))
	w.row("blobdock", r.Version)
	settings := settingsOf(r.Settings)
	w.row("endpoint", endpoint(settings["endpoint"]))
	for _, name := range told {
		if v := settings[name]; v != "" && v != "false" {
			w.row(name, v)
		}
	}
	w.row("requests", fmt.Sprintf("%d, of which %d were sent again as the store throttled them; without those of the conformance suite", r.Requests, r.Throttled))
	w.row("took", round(r.Took).String())
	removed := fmt.Sprintf("%d objects and %d uploads removed below `%s/`, nothing is left", r.Removal.Objects, r.Removal.Uploads, r.Prefix)
	if len(r.Removal.Left) > 0 {
		removed = fmt.Sprintf("**not all could be removed below `%s/`**", r.Prefix)
	}
	for _, keeps := range []string{"versioned", "soft-delete"} {
		if a, ok := r.Answer(keeps); ok && a.Found == versionsKept {
			removed += "; the bucket keeps what is deleted (" + keeps + ")"
		}
	}
	w.row("objects", removed)
	if failures := r.Failures(); len(failures) > 0 {
		w.line("\n**%d failures:**\n", len(failures))
		for _, f := range failures {
			w.line("- %s", oneLine(f))
		}
	}
}

// account begins the host names of stores that put an account's name there: Azure, R2,
// Oracle.
var account = regexp.MustCompile(`^[^.]+\.(blob|r2|compat)\.`)

// endpoint is a URL's scheme and host, without the name of an account.
func endpoint(raw string) string {
	if raw == "" {
		return "the SDK's own"
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	return u.Scheme + "://" + account.ReplaceAllString(u.Host, "ACCOUNT.$1.")
}

func (r *Report) answers(w *page) {
	w.heading("Answers", "question", "", "answer", "reply", "blobdock assumes", "", "requests", "took")
	for _, a := range r.Answers {
		found := a.Found
		switch {
		case a.Err != nil:
			found = a.Err.Error()
		case a.Detail != "":
			found += ": " + a.Detail
		}
		status := ""
		if a.Status != 0 {
			status = strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Code))
		}
		verdict := string(a.Verdict)
		if a.Verdict == Differs {
			verdict = "**differs**"
		}
		w.row("`"+a.Name+"`", a.Asks, found, status, a.Assumed, verdict, fmt.Sprint(a.Requests), round(a.Took).String())
	}
}

func (r *Report) steps(w *page) {
	w.heading("Registry", "step", "", "result", "requests", "took")
	for _, s := range r.Steps {
		result := s.said()
		if s.Err != nil {
			result = "**failed**: " + s.Err.Error()
		}
		w.row(s.Name, s.Detail, result, fmt.Sprint(s.Requests), round(s.Took).String())
	}
}

func (r *Report) checks(w *page) {
	w.heading("Probe", "check", "result", "", "took")
	for _, c := range r.Checks {
		status, detail := string(c.Status), c.Detail
		if c.Status == probe.Failed {
			status = "**failed**"
			detail = strings.TrimSpace(fmt.Sprintf("%v %s %s", c.Err, detail, c.Grant))
		}
		w.row(c.Check, status, detail, round(c.Took).String())
	}
}

// saidLines is how much of what a failed clause says is told.
const saidLines = 6

func (r *Report) clauses(w *page) {
	if len(r.Clauses) == 0 {
		return
	}
	w.heading("Conformance suite", "clause", "result", "took")
	for _, c := range r.Clauses {
		result := "ok"
		if !c.Passed {
			result = "**failed**: " + strings.Join(append([]string{c.why()}, c.Said[min(len(c.Said), 1):min(len(c.Said), saidLines)]...), "; ")
		}
		w.row("`"+c.Name+"`", oneLine(result), round(c.Took).String())
	}
	exceptions := Exceptions(r.Features.Name)
	for _, name := range slices.Sorted(maps.Keys(exceptions)) {
		w.row("`"+name+"`", "left out: "+exceptions[name], "")
	}
	w.line("")
	for _, said := range r.SuiteSaid {
		w.line("- %s", oneLine(said))
	}
}

// offered lists the driver's features.
func (r *Report) offered(w *page) {
	w.heading("What the driver offers", "feature", "")
	f := r.Features
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		switch {
		case field.Kind() == reflect.Func || field.Kind() == reflect.Interface:
			value := "yes"
			if field.IsNil() {
				value = "no"
			}
			w.row(name, value)
		case field.Kind() == reflect.Bool:
			w.row(name, fmt.Sprint(field.Bool()))
		}
	}
	p := f.Parts
	w.row("parts", fmt.Sprintf("%s to %s, at most %d, equal %t", driver.FormatBytes(p.MinSize), driver.FormatBytes(p.MaxSize), p.MaxParts, p.Uniform))
	for _, c := range []struct {
		name string
		set  driver.CondSet
	}{{"put", f.Conds.Put}, {"complete", f.Conds.Complete}, {"copy", f.Conds.Copy}, {"concat", f.Conds.Concat}} {
		w.row("conditions on "+c.name, condNames(c.set))
	}
}

func condNames(s driver.CondSet) string {
	switch s {
	case driver.AllConds:
		return "If-None-Match, If-Match"
	case driver.CondIfAbsent:
		return "If-None-Match"
	case driver.CondIfMatch:
		return "If-Match"
	}
	return "none"
}
