package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// full tells whether what takes minutes is to run, too.
func full() bool { return os.Getenv("BLOBDOCK_TEST_FULL") != "" }

// sampled are scenarios of each kind.
const sampled = "^(push-mono|push-chunked|limit-upload|limit-sha256|image-push|image-pull|pull-stream|limit-copy|catalog)$"

// TestSmoke runs scenarios with sizes that tell nothing, and looks for gaps in the table:
// one of each kind, in full runs all of them.
func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	var stdout, stderr strings.Builder
	pattern := sampled
	if full() {
		pattern = "."
	}
	err := run(t.Context(), []string{
		"-stores", "s3", "-scenarios", pattern, "-size", "1MiB", "-chunked", "2MiB", "-rounds", "1", "-latency", "0", "-repositories", "10",
		"-json", in("json"), "-markdown", in("markdown"), "-svg", in("svg"),
	}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if stderr.String() != "" {
		t.Errorf("progress where there is no terminal:\n%s", stderr.String())
	}
	r := readReport(t, in("json"))
	o, err := parse([]string{"-stores", "s3", "-scenarios", pattern}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios(o) {
		if !o.scenarios.MatchString(s.key) {
			continue
		}
		for _, by := range s.registries() {
			wantFilled(t, r, r.row("s3", s.key, by), s, by)
		}
	}
	if !strings.HasPrefix(r.Stock, "v3.") {
		t.Errorf("stock is %q", r.Stock)
	}
	for _, name := range []string{"markdown", "svg"} {
		b, err := os.ReadFile(in(name))
		if err != nil || !strings.Contains(string(b), "push-mono") {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
	if !strings.Contains(stdout.String(), "push-mono") || strings.Contains(stdout.String(), "not run") {
		t.Errorf("the table:\n%s", stdout.String())
	}
}

// TestOtherStores runs a few rows on the other stores, of each way to talk to them one; on
// Azure in full runs alone.
func TestOtherStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "json")
	stores, pattern, latencies := "gcs", "^(push-chunked|pull-redirect)$", "0"
	if full() {
		stores, pattern, latencies = "gcs,azure", "^(push-chunked|image-push|pull-redirect|pull-stream)$", "0,1ms"
	}
	args := []string{
		"-stores", stores, "-scenarios", pattern,
		"-size", "1MiB", "-chunked", "2MiB", "-rounds", "1", "-latency", latencies, "-json", path,
	}
	var stderr strings.Builder
	if err := run(t.Context(), args, io.Discard, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	r := readReport(t, path)
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range o.stores {
		for _, s := range scenarios(o) {
			if !o.scenarios.MatchString(s.key) {
				continue
			}
			wantFilled(t, r, r.row(name, s.key, blobdock), s, blobdock)
			if stocks := r.row(name, s.key, stock); name != "azure" || !s.redirect {
				wantFilled(t, r, stocks, s, stock)
			} else if stocks == nil || !strings.Contains(stocks.NotRun, "https") {
				t.Errorf("azure %s: %+v", s.key, stocks)
			}
		}
	}
}

func wantFilled(t *testing.T, r Report, row *Row, s scenario, by registry) {
	t.Helper()
	switch {
	case row == nil:
		t.Errorf("%s %s: no row", s.key, by)
		return
	case row.NotRun != "":
		t.Errorf("%s %s: not run: %s", s.key, by, row.NotRun)
		return
	case s.key != "limit-sha256" && (row.Counts == nil || row.Counts.Requests == 0 || row.Counts.Up+row.Counts.Down == 0):
		t.Errorf("%s %s: nothing went to the store: %+v", s.key, by, row.Counts)
	}
	for _, latency := range r.Latencies {
		got, ok := row.at(latency)
		if !ok || got.Wall <= 0 || got.CPU <= 0 || got.Peak < mib {
			t.Errorf("%s %s at %v: %+v", s.key, by, latency, got)
		}
	}
}

func readReport(t *testing.T, path string) Report {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
