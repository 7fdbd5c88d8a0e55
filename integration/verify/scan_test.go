package verify

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestScan(t *testing.T) {
	s := newScanner()
	err := s.scan(strings.NewReader(strings.ReplaceAll(`^=== RUN   TestVerifyCloud
    suite.go:1: s3/minio does not offer rename
^=== RUN   TestVerifyCloud/delete-absent
^--- PASS: TestVerifyCloud/delete-absent (0.12s)
^=== RUN   TestVerifyCloud/cond-honoured
^=== RUN   TestVerifyCloud/cond-honoured/Put
    conds.go:71: IfAbsent at a present key: got no error
        and a second line
^--- FAIL: TestVerifyCloud/cond-honoured/Put (0.01s)
^=== NAME  TestVerifyCloud/cond-honoured
    conds.go:72: this, too
^--- FAIL: TestVerifyCloud/cond-honoured (0.03s)
^=== RUN   TestVerifyCloud/killed
no newline^=== NAME  TestVerifyCloud
    suite.go:9: conformance: 7 requests
^--- FAIL: TestVerifyCloud (0.20s)
FAIL
`, "^", frame)))
	if err != nil || !s.ended {
		t.Fatalf("scan: %v, ended %t", err, s.ended)
	}
	want := []Clause{
		{Name: "delete-absent", Ended: true, Passed: true, Took: 120 * time.Millisecond},
		{Name: "cond-honoured", Ended: true, Took: 30 * time.Millisecond, Said: []string{"IfAbsent at a present key: got no error", "and a second line", "this, too"}},
		{Name: "killed", Said: []string{"no newline"}}, // what never ended has not passed
	}
	if diff := cmp.Diff(want, s.clauses()); diff != "" {
		t.Errorf("clauses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s3/minio does not offer rename", "conformance: 7 requests"}, s.outside); diff != "" {
		t.Errorf("outside of clauses (-want +got):\n%s", diff)
	}
}

// TestSuiteBreaksOff runs programs that do not get to the end of the suite.
func TestSuiteBreaksOff(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"/no/such/program"}, {program, "-no-such-flag"}} {
		if _, _, err := runSuite(t.Context(), command, "mem://bucket"); err == nil {
			t.Errorf("%v: no error", command)
		}
	}
}
