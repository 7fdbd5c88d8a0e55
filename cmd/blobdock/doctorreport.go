package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	yaml2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/probe"
)

// report is what doctor found.
type report struct {
	At       time.Time
	Machine  machine
	ReadOnly bool
	Problems []note
	Remarks  []note
	Storage  struct {
		URL   string
		Found driver.Overrides // what serve adds to the configuration
	}
	Limits  []effect
	Probe   []probe.Result
	Sample  *sample // nil when none was asked for
	Effects []effect

	features driver.Features
	tree     yaml2.MapSlice // the configuration without secrets
	sieve    sieve
}

// note is a sentence about a part of the report.
type note struct {
	Part string `json:"part"`
	Text string `json:"text"`
}

// effect is a topic and what the registry does there.
type effect struct {
	What string `json:"what"`
	Text string `json:"text"`
}

// sample is the check of some repositories.
type sample struct {
	Repositories []string
	Summary      check.Summary
	Findings     []check.Finding // of damage, the first findingsKept
	Complete     bool
	Took         time.Duration
}

const (
	findingsKept = 20
	// sampleAge is the age from which on objects are judged.
	sampleAge = time.Hour
)

func newReport(readOnly bool) *report {
	return &report{At: time.Now().UTC(), Machine: thisMachine(), ReadOnly: readOnly}
}

func (r *report) problem(part string, err error) {
	r.Problems = append(r.Problems, note{part, r.sieve.clean(err.Error())})
}

func (r *report) remark(part, text string) {
	r.Remarks = append(r.Remarks, note{part, r.sieve.clean(text)})
}

// see notes what the store offers.
func (r *report) see(f driver.Features) {
	r.features = f
	add := func(what, format string, values ...any) {
		r.Limits = append(r.Limits, effect{what, fmt.Sprintf(format, values...)})
	}
	add("profile", "%s", f.Name)
	p := f.Parts
	if f.Uploads == nil {
		add("uploads", "the store has no multipart uploads; blobdock joins objects")
	} else {
		text := fmt.Sprintf("parts of %s to %s, %d at most", size(p.MinSize), orNone(p.MaxSize), p.MaxParts)
		if p.Uniform {
			text += ", of one size"
		}
		add("uploads", "%s", text)
	}
	add("objects", "%s at most, %s in one request", orNone(p.MaxObject), orNone(p.MaxPut))
	add("conditions", "%s", f.Conds.List())
}

// orNone is a size of which 0 is no limit.
func orNone(bytes int64) string {
	if bytes == 0 {
		return "any size"
	}
	return size(bytes)
}

func (r *report) verdict() string {
	return counted(len(r.Problems), "problem") + ", " + counted(len(r.Remarks), "remark")
}

func (r *report) wrote() string {
	if r.ReadOnly {
		return "nothing (--read-only): permissions to write, conditional writes and signed URLs were not tried"
	}
	return "the probe's objects below " + probe.Folder + "/, which it removes again"
}

func (r *report) print(out io.Writer) error {
	var page strings.Builder
	section := func(name string) { fmt.Fprintf(&page, "\n%s\n", name) }
	rows := func(all []effect) {
		for _, e := range all {
			fmt.Fprintf(&page, "  %-14s %s\n", e.What, e.Text)
		}
	}
	notes := func(name string, all []note) {
		if len(all) == 0 {
			return
		}
		section(name)
		for _, n := range all {
			fmt.Fprintf(&page, "  %s: %s\n", n.Part, n.Text)
		}
	}
	fmt.Fprintf(&page, "BLOBDOCK DOCTOR: %s\n", r.verdict())
	rows([]effect{{"time", r.At.Format(time.RFC3339) + " by this machine"}, {"version", versionLine()}, {"written", r.wrote()}})
	if r.Storage.URL != "" {
		rows([]effect{{"storage", r.Storage.URL}})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Storage.Found)) {
		rows([]effect{{"serve adds", name + "=" + r.Storage.Found[name]}})
	}
	notes("PROBLEMS", r.Problems)
	notes("REMARKS", r.Remarks)
	section("MACHINE")
	rows(r.Machine.rows())
	if len(r.Limits) > 0 {
		section("LIMITS OF THE STORE, by its profile")
		rows(r.Limits)
	}
	if len(r.Probe) > 0 {
		section("PROBE")
		for _, result := range r.Probe {
			page.WriteString("  ")
			printResult(&page, result)
		}
	}
	if s := r.Sample; s != nil {
		section("CHECK OF A SAMPLE: " + cmp.Or(strings.Join(s.Repositories, ", "), "no repositories"))
		for _, found := range s.Findings {
			checkFlags{}.print(&page, found)
		}
		printChecked(&page, s.Summary, sampleAge, s.Took, s.Complete)
	}
	if len(r.Effects) > 0 {
		section("WHAT THE CONFIGURATION DOES")
		rows(r.Effects)
	}
	if len(r.tree) > 0 {
		section("CONFIGURATION, with its defaults and without its secrets")
		text, err := yaml2.Marshal(r.tree)
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		page.Write(text)
	}
	_, err := io.WriteString(out, page.String())
	return err
}

// reportVersion is that of the JSON.
const reportVersion = 1

func (r *report) printJSON(out io.Writer) error {
	v := map[string]any{
		"doctor": reportVersion, "time": r.At, "version": versionLine(), "machine": r.Machine, "read_only": r.ReadOnly,
		"problems": list(r.Problems), "remarks": list(r.Remarks),
		"storage": map[string]any{"url": r.Storage.URL, "found": map[string]string(r.Storage.Found)},
		"limits":  list(r.Limits), "effects": list(r.Effects),
	}
	probed := []map[string]any{}
	for _, result := range r.Probe {
		probed = append(probed, resultJSON(result))
	}
	v["probe"] = probed
	if s := r.Sample; s != nil {
		found := []map[string]any{}
		for _, f := range s.Findings {
			found = append(found, findingJSON(f))
		}
		v["sample"] = map[string]any{"repositories": list(s.Repositories), "findings": found, "summary": checkedJSON(s.Summary, s.Complete)}
	}
	if len(r.tree) > 0 {
		text, err := yaml2.Marshal(r.tree)
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		var tree map[string]any // which JSON can have, unlike what the second version reads
		if err := yaml.Unmarshal(text, &tree); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		v["configuration"] = tree
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// list is a list that JSON has as [] when it is empty.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
