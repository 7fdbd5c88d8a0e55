package laws_test

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/integration/laws"
)

var update = flag.Bool("update", false, "write the table of laws into docs/compat.md instead of comparing with it")

// compatFile has the table of laws between two comments.
const (
	compatFile = "../../docs/compat.md"
	tableBegin = "<!-- laws: go test ./integration/laws -run TestCompat -update -->\n"
	tableEnd   = "<!-- end of laws -->\n"
)

// TestCompat holds the table in docs/compat.md to the laws.
func TestCompat(t *testing.T) {
	text, err := os.ReadFile(compatFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	got, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s lacks the comments around the table, want %q and %q", compatFile, tableBegin, tableEnd)
	}
	want := table(t)
	if *update {
		if err := os.WriteFile(compatFile, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs from the laws (-want +got), -update rewrites it:\n%s", compatFile, diff)
	}
}

// table writes all laws as a table in Markdown.
func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| law | sets | rule | source | proof |\n|---|---|---|---|---|\n")
	for _, l := range laws.All() {
		name := "`" + l.Name + "`"
		if l.Fault {
			name += " (fault)"
		}
		var sources []string
		for _, source := range strings.Fields(l.Source) {
			sources = append(sources, link(t, source))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` |\n",
			name, strings.Join(l.Sets, ", "), plainText.Replace(l.Rule), strings.Join(sources, ", "), l.Test)
	}
	return b.String()
}

// plainText escapes what Markdown takes for emphasis or the end of a table's cell.
var plainText = strings.NewReplacer("*", `\*`, "|", `\|`)

// link links to a page by the last part of its path, and to a thread on GitHub by its number.
func link(t *testing.T, page string) string {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(path.Base(u.Path), ".html")
	if p := strings.Split(u.Path, "/"); u.Host == "github.com" && len(p) == 5 && (p[3] == "pull" || p[3] == "issues") {
		name = p[1] + "/" + p[2] + "#" + p[4]
	}
	return "[" + name + "](" + page + ")"
}
