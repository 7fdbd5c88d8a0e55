package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLayering holds the packages to the way that dependencies point.
func TestLayering(t *testing.T) {
	const module = "github.com/blobdock/blobdock/"
	for pkg, forbidden := range map[string][]string{
		"driver/trace":   {"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters"},
		"blobstore":      {"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters", "github.com/aws/", "cloud.google.com/", "github.com/Azure/", module + "s3", module + "registry"},
		"s3":             {"cloud.google.com/", "google.golang.org/api", "github.com/Azure/", "github.com/distribution/", module + "blobstore", module + "registry"},
		"gcs":            {"github.com/aws/", "github.com/Azure/", "github.com/distribution/", module + "blobstore", module + "registry"},
		"azure":          {"github.com/aws/", "cloud.google.com/", "github.com/distribution/", module + "blobstore", module + "registry"},
		"internal/cloud": {"github.com/aws/", "cloud.google.com/", "google.golang.org/api", "github.com/Azure/", "github.com/distribution/", module + "blobstore"},
		"manifests":      {"github.com/aws/", "cloud.google.com/", "github.com/Azure/", module + "s3", module + "registry"},
		"oci":            {"github.com/aws/", "cloud.google.com/", "github.com/Azure/", module + "s3", module + "registry"},
		"transfer":       {"github.com/aws/", "cloud.google.com/", "github.com/Azure/", module + "s3", module + "registry"},
		"registry":       {module + "s3", module + "gcs", module + "azure", module + "cmd"},
	} {
		for _, dep := range list(t, "-deps", module+pkg) {
			for _, f := range forbidden {
				if strings.HasPrefix(dep, f) {
					t.Errorf("%s depends on %s", pkg, dep)
				}
			}
		}
	}
	for _, line := range list(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...") {
		if strings.Contains(line, "registry/storage/driver/base") {
			t.Errorf("imports distribution's base driver: %s", line)
		}
	}
}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
