package laws_test

import (
	"os"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

func TestMain(m *testing.M) { os.Exit(emulator.Run(m)) }

// TestTable holds the table to its own form.
func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, l := range laws.All() {
		if l.Name == "" || l.Rule == "" || l.Source == "" || len(l.Sets) == 0 {
			t.Errorf("law %q lacks a rule, a source, or a set: %+v", l.Name, l)
		}
		if seen[l.Name] {
			t.Errorf("law %q is there twice", l.Name)
		}
		seen[l.Name] = true
		if name, ok := strings.CutPrefix(l.Test, "TestLaws/"); !ok || name != l.Name || proofs()[name] == nil {
			t.Errorf("law %q names the test %q, which is none of the proofs", l.Name, l.Test)
		}
	}
}

// TestLaws proves each law: it refuses what it should, and passes what it should, with
// requests of the official SDKs.
func TestLaws(t *testing.T) {
	for name, proof := range proofs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proof(t)
		})
	}
}

// proofs has a test for each law, by the law's name.
func proofs() map[string]func(*testing.T) {
	all := make(map[string]func(*testing.T))
	for _, store := range []map[string]func(*testing.T){s3Proofs, gcsProofs, azureProofs} {
		for name, proof := range store {
			all[name] = proof
		}
	}
	return all
}
