package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// used makes a directory with a registry of two teams, whose images share a layer, an orphan,
// an abandoned upload and a tag that holds nothing.
func used(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	root := filepath.Join(dir, "docker/registry/v2")
	blob := func(text string) string {
		d := digest.FromString(text)
		write(t, filepath.Join(root, "blobs/sha256", d.Encoded()[:2], d.Encoded(), "data"), text)
		return d.String()
	}
	image := func(repo, tag, own string) {
		layer := func(text string) map[string]any { return map[string]any{"digest": blob(text), "size": len(text)} }
		p, err := json.Marshal(map[string]any{"schemaVersion": 2, "config": layer(own), "layers": []any{layer(strings.Repeat("b", 2048))}})
		if err != nil {
			t.Fatal(err)
		}
		d := blob(string(p))
		write(t, filepath.Join(root, "repositories", repo, "_manifests/revisions/sha256", strings.TrimPrefix(d, "sha256:"), "link"), d)
		if tag != "" {
			write(t, filepath.Join(root, "repositories", repo, "_manifests/tags", tag, "current/link"), d)
		}
	}
	image("team/app", "v1", "of the app")
	image("team/web", "", "of the web, a little more")
	image("other/app", "v1", "of another")
	write(t, filepath.Join(root, "repositories/team/app/_manifests/tags/broken/current/link"), "no digest")
	blob("of nobody")
	upload := filepath.Join(root, "_uploads/019b0c4e-7b6a-4c0e-9d3f-0123456789ab-00/p/1")
	write(t, upload, "uploaded")
	old := time.Now().AddDate(0, 0, -8)
	if err := os.Chtimes(upload, old, old); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want []string // of the output, in order
	}{
		{"all", nil, []string{
			"link-malformed     docker/registry/v2/repositories/team/app/_manifests/tags/broken/current/link\n                   in team/app\n",
			"EXCLUSIVE", "  TEAM\n", "  2.0 KiB", "  team\n", "  other\n", "  REPOSITORY\n", "  team/web\n", "  other/app\n", "  team/app\n",
			"\nstored        ", " objects; of blobs ", " in 8\n", "what 3 repositories of 2 teams have", "\nuntagged      1 of 3 manifests; they alone reach ", " in 2 blobs",
			"\nreclaimable   0B in 0 blobs that no manifest names; 9B in 1 more are younger than 24h0m0s", "\nuploads       1 of 1 are abandoned: 8B of 8B", "\nmalformed     0 manifests, 1 links;",
		}},
		{"older", []string{"--older-than", "0s", "--upload-age", "216h"}, []string{"\nreclaimable   9B in 1 blobs", "\nuploads       0 of 1 are abandoned: 0B of 8B\n"}},
		{"the first by name", []string{"--sort", "name", "--limit", "1"}, []string{"  TEAM\n", "  other\n\n", "  REPOSITORY\n", "  other/app\n\nstored"}},
	} {
		out, err := run(t, usageCommand(), append(tt.args, "file://"+used(t))...)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		for rest, i := out, 0; i < len(tt.want); i++ {
			_, after, ok := strings.Cut(rest, tt.want[i])
			if !ok {
				t.Errorf("%s: printed\n%s\nwant %q", tt.name, out, tt.want[i])
				break
			}
			rest = after
		}
	}
}

// TestDU is what people type.
func TestDU(t *testing.T) {
	if cmd, _, err := rootCommand().Find([]string{"du", "mem://x"}); err != nil || cmd.Name() != "usage" {
		t.Errorf("du is %v, %v", cmd.Name(), err)
	}
}

func TestUsageCSV(t *testing.T) {
	dir := used(t)
	if err := os.RemoveAll(filepath.Join(dir, "docker/registry/v2/repositories/team/app/_manifests/tags/broken")); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, usageCommand(), "--csv", "file://"+dir) // standard error is in it, too
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 6 || strings.Join(rows[0], " ") != "kind name repositories tags manifests untagged blobs logical_bytes stored_bytes exclusive_bytes shared_bytes deduplicated_bytes" {
		t.Fatalf("%v, printed\n%s", err, out)
	}
	if got := strings.Join(rows[1][:7], " "); got != "team team 2 1 2 1 5" || rows[1][10] != "2048" || rows[1][11] != "2048" {
		t.Errorf("printed %q", rows[1])
	}
	if rows[3][0] != "repository" || rows[3][10] != "2048" || rows[3][11] != "0" {
		t.Errorf("printed %q", rows[3])
	}
}

func TestUsageJSON(t *testing.T) {
	out, err := run(t, usageCommand(), "--json", "--limit", "1", "file://"+used(t))
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]map[string]any)
	for _, text := range strings.Split(strings.TrimSpace(out), "\n") {
		var v map[string]any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		kinds[v["kind"].(string)] = v
	}
	for kind, want := range map[string]map[string]any{
		"link-malformed": {"repository": "team/app", "detail": "it holds no digest"},
		"team":           {"name": "team", "shared_bytes": 2048.0, "deduplicated_bytes": 2048.0, "untagged": 1.0},
		"repository":     {"name": "team/web", "shared_bytes": 2048.0, "deduplicated_bytes": 0.0},
		"summary": {
			"teams": 2.0, "repositories": 3.0, "deduplicated_bytes": 4096.0, "exclusive_bytes": nil, "orphans": 1.0, "orphans_bytes": 9.0,
			"reclaimable": 0.0, "reclaimable_young_bytes": 9.0, "uploads_abandoned": 1.0, "upload_objects_abandoned_bytes": 8.0, "malformed_links": 1.0,
		},
	} {
		for name, v := range want {
			if kinds[kind][name] != v {
				t.Errorf("%s: %s is %v, want %v", kind, name, kinds[kind][name], v)
			}
		}
	}
}

func TestUsageHTML(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.html")
	if _, err := run(t, usageCommand(), "--html", path, "mem://empty"); err == nil {
		t.Error("no error for a bucket without a registry")
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 0 {
		t.Errorf("a failed run leaves %v, %v", left, err)
	}
	storage := "file://" + used(t)
	if out, err := run(t, usageCommand(), "--html", path, storage+"?create=no"); err != nil || !strings.Contains(out, "TEAM") {
		t.Fatalf("%v, printed\n%s", err, out)
	}
	page, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(page), "<h1>Usage of "+storage+"</h1>") || !strings.Contains(string(page), `"team/web"`) {
		t.Errorf("%v, wrote\n%.300s", err, page)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestUsageRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"--older-than":      {"--older-than", "-1s", "mem://x"},
		"--upload-age":      {"--upload-age", "-1s", "mem://x"},
		"--concurrency":     {"--concurrency", "257", "mem://x"},
		"--limit":           {"--limit", "-1", "mem://x"},
		`--sort: order "x"`: {"--sort", "x", "mem://x"},
		"--html /none/x":    {"--html", "/none/x", "mem://x"},
		"json csv":          {"--json", "--csv", "mem://x"},
		"accepts 1":         {},
		"ftp":               {"ftp://host"},
		"prefix in the URL": {"mem://empty?"},
	} {
		_, err := run(t, usageCommand(), args...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want one that names %q", args, err, want)
		}
	}
}
