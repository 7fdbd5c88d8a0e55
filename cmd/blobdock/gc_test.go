package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/file"
)

// TestGC removes what is unused from a directory, and brings it back.
func TestGC(t *testing.T) {
	at, _ := pushed(t)
	url := "file://" + at
	b, err := driver.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	last := func(out string) map[string]any {
		t.Helper()
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var m map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return m
	}
	blobs := func() (n int) {
		for _, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: "docker/registry/v2/blobs/"}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	all := blobs() // no manifest refers to them
	if out, err := run(t, gcCommand(), "--json", url); err != nil || last(out)["unused"] != 0.0 {
		t.Errorf("all is young: %v\n%s", err, out)
	}
	if out, err := run(t, gcCommand(), "--offline", "--dry-run", "--price", "1e9", url); err != nil || !strings.Contains(out, "would be removed, $7.00 a month") || blobs() != all {
		t.Errorf("dry run: %v, %d blobs are left\n%s", err, blobs(), out)
	}
	if out, err := run(t, gcCommand(), "--offline", "--quarantine", "1h", url); err != nil || blobs() != 0 {
		t.Errorf("%v, %d blobs are left\n%s", err, blobs(), out)
	}
	if out, err := run(t, gcCommand(), "restore", "--json", url); err != nil || last(out)["restored"] != float64(2*all) || blobs() != all {
		t.Errorf("restore: %v, %d blobs, want %d\n%s", err, blobs(), all, out)
	}
}

func TestGCRefuses(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yml")
	if err := os.WriteFile(policy, []byte("rules: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	at, _ := pushed(t)
	url := "file://" + at
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--untagged", "some", url}, `--untagged "some": want keep or delete`},
		{[]string{"--orphaned-referrers", "some", url}, `--orphaned-referrers "some": want keep or delete`},
		{[]string{"--older-than", "0s", url}, "--older-than 0s: want more than 0s"},
		{[]string{"--older-than", "10m", url}, "--older-than 10m0s: want the wait (collection_wait), 1h0m0s, or more; --offline takes what is young"},
		{[]string{"--older-than", "10m", "--retention", policy, url}, "--older-than 10m0s: want"},
		{[]string{"--price", "-1", url}, "--price -1: want 0 or more"},
		{[]string{"--limit", "0", url}, "--limit 0: want 1 or more"},
		{[]string{"--quarantine", "-1s", url}, "--quarantine -1s: want 0s or more"},
		{[]string{"--retention", policy, url}, "retention policy: rules: want one or more"},
		{[]string{"--retention", policy + "x", url}, "no such file"},
		{[]string{"file://" + at + "-not"}, "does not exist"},
		{[]string{"restore", "file://" + at + "-not"}, "does not exist"},
	} {
		if out, err := run(t, gcCommand(), tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("gc %q: %v, want %q\n%s", tt.args, err, tt.want, out)
		}
	}
}
