package drivertest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestClausesHaveTests compares the clauses in the documentation of package
// driver with the tests that bear their names.
func TestClausesHaveTests(t *testing.T) {
	doc, err := os.ReadFile("../doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z]+(?:-[a-z]+)+) `).FindAllStringSubmatch(string(doc), -1) {
		want = append(want, m[1])
	}
	for _, c := range clauses {
		got = append(got, c.name)
	}
	if !slices.Equal(got, want) || len(want) < 10 {
		t.Errorf("tests are\n%s\nthe clauses are\n%s", strings.Join(got, " "), strings.Join(want, " "))
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range slices.Concat(clauses, further) {
		if seen[c.name] || c.run == nil {
			t.Errorf("test %q is there twice, or empty", c.name)
		}
		seen[c.name] = true
	}
}
