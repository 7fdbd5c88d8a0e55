// Package overlay builds a package's tests with a fault in it, to see that they find it.
package overlay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Replaced is the text of a file with new in the place of old, which must be there once.
func Replaced(t testing.TB, file, old, replacement string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte(old)); n != 1 {
		t.Fatalf("%s has this %d times, want it once: change the mutant with the code\n%s", file, n, old)
	}
	return bytes.Replace(text, []byte(old), []byte(replacement), 1)
}

// Tests builds the tests of the package in the working directory with text in the place of a
// file, and returns the program. Nothing is copied: the text lies over the file as go build's
// -overlay.
func Tests(ctx context.Context, t testing.TB, file string, text []byte) string {
	t.Helper()
	original, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed, list, program := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "overlay.test")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(changed, text, 0o600), os.WriteFile(list, replace, 0o600)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, "go", "test", "-overlay", list, "-ldflags=-w", "-vet=off", "-c", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	return program
}
