package driver_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports keeps the contract, the embedded drivers and the wrappers free of
// everything but the standard library, x/sync and x/sys. Wrapper trace alone needs
// OpenTelemetry's API.
func TestImports(t *testing.T) {
	const module = "github.com/blobdock/blobdock/"
	packages := []string{".", "./mem", "./file", "./retry", "./meter", "./fault", "./limit"}
	args := append([]string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}, packages...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if !strings.HasPrefix(path, module+"driver") && !strings.HasPrefix(path, "golang.org/x/sync/") && !strings.HasPrefix(path, "golang.org/x/sys/") {
			t.Errorf("%s is imported", path)
		}
	}
	out, err = exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if strings.Contains(string(out), module) {
		t.Errorf("the contract imports a package of its own module:\n%s", out)
	}
}
