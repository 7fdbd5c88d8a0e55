package integration_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// TestDocsNameTests holds the documents to the tests that they name, by the beginning of a
// name at least, as in the pattern of -run.
func TestDocsNameTests(t *testing.T) {
	var tests []string
	funcs := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range funcs.FindAllSubmatch(text, -1) {
			tests = append(tests, string(m[1]))
		}
		return err
	})
	if err != nil || len(tests) < 100 {
		t.Fatalf("%d tests: %v", len(tests), err)
	}
	all := " " + strings.Join(tests, " ")
	named := regexp.MustCompile(`\bTest[A-Z]\w*`)
	seen := 0
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../docs/adr/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range named.FindAllString(string(text), -1) {
				seen++
				if !strings.Contains(all, " "+name) {
					t.Errorf("%s names %s, which there is not", file, name)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("the documents name %d tests: are these all?", seen)
	}
}

// TestDocsClients holds the table in docs/clients.md to the clients that TestClients runs.
func TestDocsClients(t *testing.T) {
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string)
	for _, row := range regexp.MustCompile(`(?m)^\| (\w+) \| (v?[\d.]+) \|.* \| TestClients/(\w+) \|$`).FindAllStringSubmatch(string(text), -1) {
		if row[1] != row[3] {
			t.Errorf("the row of %s names the test of %s", row[1], row[3])
		}
		rows[row[1]] = row[2]
	}
	if want := emulator.Clients(); !maps.Equal(rows, want) {
		t.Errorf("docs/clients.md has %v, want %v", rows, want)
	}
}
