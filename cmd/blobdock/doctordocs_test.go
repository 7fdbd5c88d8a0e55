package main

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestDoctorDocs holds the tables of docs/doctor.md to the page and to the JSON.
func TestDoctorDocs(t *testing.T) {
	fresh(t)
	text := pages(t)["doctor.md"]
	var sections []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z' ]{2,}) \|`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	var fields []string
	_, table, _ := strings.Cut(text, "## JSON")
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			fields = append(fields, strings.Trim(name, "`"))
		}
	}

	healthy, err := run(t, doctorCommand(), "file://"+damaged(t))
	if err != nil {
		t.Error(err)
	}
	sick, _ := run(t, doctorCommand(), "mem://x?colour=blue")
	empty, err := run(t, doctorCommand(), "mem://x")
	if err != nil {
		t.Error(err)
	}
	for _, name := range sections {
		if heading := "\n\n" + name; !strings.Contains(healthy+sick+empty, heading) {
			t.Errorf("no page has the section %s", name)
		}
	}
	for _, line := range regexp.MustCompile(`(?m)\n\n([A-Z ]+)`).FindAllStringSubmatch(healthy+sick+empty, -1) {
		if !slices.Contains(sections, strings.TrimSpace(line[1])) {
			t.Errorf("a page has the section %s, docs/doctor.md has %q", line[1], sections)
		}
	}

	page, err := run(t, doctorCommand(), "--json", "file://"+damaged(t))
	if err != nil {
		t.Error(err)
	}
	got := make(map[string]json.RawMessage)
	if err := json.Unmarshal([]byte(page), &got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(fields)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(got)), fields); diff != "" {
		t.Errorf("JSON (-program +docs/doctor.md):\n%s", diff)
	}
}

// TestBugTemplate checks that GitHub's form demands the page.
func TestBugTemplate(t *testing.T) {
	text, err := os.ReadFile("../../.github/ISSUE_TEMPLATE/bug.yml")
	if err != nil {
		t.Fatal(err)
	}
	var form struct {
		Body []struct {
			ID          string                  `yaml:"id"`
			Attributes  struct{ Label string }  `yaml:"attributes"`
			Validations struct{ Required bool } `yaml:"validations"`
		} `yaml:"body"`
	}
	if err := yaml.Unmarshal(text, &form); err != nil {
		t.Fatal(err)
	}
	for _, field := range form.Body {
		if field.ID == "doctor" && field.Validations.Required && strings.Contains(field.Attributes.Label, "`blobdock doctor`") {
			return
		}
	}
	t.Errorf("no required field asks for the page: %+v", form)
}
