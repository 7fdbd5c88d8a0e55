package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestManualPages writes a page for each command that users see, with its flags.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1764547200")
	dir := filepath.Join(t.TempDir(), "man1")
	if _, err := run(t, rootCommand(), "man", dir); err != nil {
		t.Fatal(err)
	}
	var commands int
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		commands++
		text, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil || !strings.Contains(string(text), "Dec 2025") {
			t.Errorf("%s: %v\n%.200s", cmd.CommandPath(), err, text)
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				visit(sub)
			}
		}
	}
	visit(rootCommand())
	if commands < 10 {
		t.Errorf("%d commands", commands)
	}
}

// TestGoInstall checks what "go install ...@version" wants: the go command refuses a module that
// replaces or excludes others.
func TestGoInstall(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if directive, _, _ := strings.Cut(line, " "); directive == "replace" || directive == "exclude" {
			t.Errorf("go.mod has %q", line)
		}
	}
}

func TestVersion(t *testing.T) {
	defer func(old string) { version = old }(version)
	for set, want := range map[string]string{"": "(devel)", "v1.2.3": "v1.2.3"} {
		version = set
		if out, err := run(t, rootCommand(), "--version"); err != nil || !strings.Contains(out, want) {
			t.Errorf("%q: %q, %v", set, out, err)
		}
	}
}
