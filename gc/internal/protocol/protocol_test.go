package protocol

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestProtocol searches all that the protocol can do within the bounds.
func TestProtocol(t *testing.T) {
	all := smallBounds
	if os.Getenv("BLOBDOCK_TEST_FULL") != "" {
		all = append(all, largeBounds...)
	}
	limit, _ := strconv.Atoi(os.Getenv("LIMIT"))
	for _, b := range all {
		t.Run(b.Name, func(t *testing.T) {
			res := Search(b, Protocol(), limit)
			t.Logf("%d states, depth %d", res.States, res.Depth)
			if res.Violated != Holds {
				t.Errorf("%v is violated:\n%s", res.Violated, strings.Join(res.Trace, "\n"))
			}
		})
	}
}

// TestEachRuleIsNeeded leaves out one rule at a time. The search then has to find what goes wrong, and
// the log tells it step by step.
func TestEachRuleIsNeeded(t *testing.T) {
	bounds := make(map[string]Bounds)
	for _, b := range smallBounds {
		bounds[b.Name] = b
	}
	tested := make(map[string]bool)
	for _, tt := range []struct{ rule, bounds string }{
		{"ErrorAborts", "fast alone"},
		{"RevisionProtects", "untagged deleted"},
		{"OldOnly", "collectors, versions"},
		{"OldTwice", "collectors, no versions"},
		{"Waits", "fast alone"},
		{"WaitOutlasts", "fast alone"},
		{"WaitFromLast", "links, versions"},
		{"WaitFromAck", "fast alone"},
		{"Adopts", "manifest, versions"},
		{"AdoptionWaits", "collectors, no versions"},
		{"SecondMark", "fast alone"},
		{"SecondMarkAfterWait", "fast alone"},
		{"RescueBeforeRemoval", "collectors, versions"},
		{"ConditionalWrites", "fast alone"},
		{"UniqueNames", "names"},
		{"ExactVersion", "links, versions"},
		{"ConfirmsAbsence", "fast alone"},
		{"Renews", "manifest, no versions"},
		{"SignatureExpires", "manifest, no versions"},
		{"DoneAfterNotAfter", "manifest, no versions"},
		{"DoneOwnGeneration", "collectors, no versions"},
		{"HitReads", "links, versions"},
		{"ReadBeforeStat", "links, versions"},
		{"HitRescues", "links, versions"},
		{"LostRescueReads", "fast alone"},
		{"DeletingIsAbsent", "links, versions"},
		{"AnswerBound", "fast alone"},
		{"NewVersion", "links, versions"},
		{"WaitForDeletion", "collectors, no versions"},
		{"SlowListAllPages", "links, versions"},
		{"SlowRescues", "fast alone"},
		{"SlowOwn", "manifest, versions"},
		{"SlowChildren", "index"},
		{"SlowVerifies", "failure"},
		{"VerifyLinks", "links, versions"},
		{"SlowDeletingIsAbsent", "fast alone"},
		{"FailRemovesNothing", "failure"},
		{"ListAllPages", "index"},
		{"T0BeforeList", "fast alone"},
		{"StatAfterT0", "fast alone"},
		{"OldestT0", "fast alone"},
		{"FastOwn", "manifest, versions"},
		{"FastChildren", "index"},
		{"CheckAfterTag", "fast alone"},
		{"AllClocks", "fast alone"},
	} {
		tested[tt.rule] = true
		t.Run(tt.rule, func(t *testing.T) {
			b, ok := bounds[tt.bounds]
			if !ok {
				t.Fatalf("no bounds %q", tt.bounds)
			}
			res := Search(b, Without(tt.rule), 0)
			if res.Violated == Holds {
				t.Fatalf("%d states, and nothing goes wrong without the rule: it is not needed, or these bounds are too small", res.States)
			}
			t.Logf("%v is violated after %d steps (%d states):\n%s", res.Violated, len(res.Trace), res.States, strings.Join(res.Trace, "\n"))
		})
	}
	for _, rule := range RuleNames() {
		if !tested[rule] {
			t.Errorf("rule %s is never left out", rule)
		}
	}
}

// TestRulesAreDocumented holds the table of rules in docs/gc-protocol.md to Rules.
func TestRulesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/gc-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			got = append(got, name)
		}
	}
	if want := RuleNames(); !slices.Equal(got, want) {
		t.Errorf("rules in the table: %v\nin Rules: %v", got, want)
	}
}
