package integration_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/laws"
)

// violationVar is set in the process that runs a test which is known to break a law.
const violationVar = "BLOBDOCK_TEST_VIOLATION"

// run runs a test on the store, unless the test is known to break a law there. It then has
// to fail on that law's account: it runs in a process of its own, as a test can't be
// expected to fail.
func (s store) run(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	v, known := violation(t.Name())
	if !known || os.Getenv(violationVar) == t.Name() {
		test(t)
		return
	}
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^") + "$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v", "-test.timeout=5m")
	cmd.Env = slices.Concat(os.Environ(), s.env(t), []string{violationVar + "=" + t.Name()})
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil && bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")) && v.Chance:
		t.Logf("did not meet %s this time, see issue %d", v.Law, v.Issue)
	case err == nil && bytes.Contains(out, []byte("--- PASS: "+t.Name()+" ")):
		t.Errorf("%s breaks the law %s no longer: take it off the list in integration/laws/violations.go", t.Name(), v.Law)
	case !bytes.Contains(out, []byte("--- FAIL: "+t.Name()+" ")):
		t.Errorf("%s did not run: %v\n%s", t.Name(), err, out)
	case !bytes.Contains(out, []byte("law "+v.Law+": ")):
		t.Errorf("%s fails, but not on account of the law %s\n%s", t.Name(), v.Law, out)
	default:
		t.Logf("known violation of %s, see issue %d", v.Law, v.Issue)
	}
}

func violation(test string) (laws.Violation, bool) {
	i := slices.IndexFunc(laws.Violations(), func(v laws.Violation) bool { return v.Test == test })
	if i < 0 {
		return laws.Violation{}, false
	}
	return laws.Violations()[i], true
}

// TestViolations holds the list of violations to the tests, stores and laws that there are.
func TestViolations(t *testing.T) {
	tests := testFunctions(t)
	known := make(map[string]bool)
	for _, l := range laws.All() {
		known[l.Name] = true
	}
	seen := make(map[string]bool)
	for _, v := range laws.Violations() {
		name, rest, _ := strings.Cut(v.Test, "/")
		on := func(j jurisdiction) bool { return rest == j.name || strings.HasPrefix(rest, j.name+"/") }
		if !tests[name] || !slices.ContainsFunc(jurisdictions, on) {
			t.Errorf("%s: there is no such test under laws", v.Test)
		}
		if !known[v.Law] {
			t.Errorf("%s: there is no law %q", v.Test, v.Law)
		}
		if v.Issue == 0 {
			t.Errorf("%s: no issue owns it", v.Test)
		}
		if seen[v.Test] {
			t.Errorf("%s is listed twice", v.Test)
		}
		seen[v.Test] = true
	}
}

// testFunctions are the tests of this package, whatever their build tags.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
