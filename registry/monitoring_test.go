package registry_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/redirect"
	"github.com/blobdock/blobdock/registry"
)

// exported has a process do what makes all metrics appear, and returns their names
// with the labels of each.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	s := given(t, fault.Wrap(mem.New(), fault.Script{{Op: driver.OpPut, Nth: 1}}), blobstore.Options{Retry: retry.Policy{Base: time.Millisecond}})
	defer s.Close()
	if err := registry.NewDriver(s).PutContent(t.Context(), "/some/link", []byte("content")); err != nil {
		t.Fatal(err)
	}
	sign := given(t, mem.New(), blobstore.Options{Signer: signer})
	defer sign.Close()
	if _, err := friend.Of(sign).SignKey(t.Context(), http.MethodGet, "key"); err != nil {
		t.Fatal(err)
	}
	metrics := make(map[string][]string)
	label := regexp.MustCompile(`(\w+)="`)
	for series := range scrape(t) {
		name, rest, _ := strings.Cut(series, "{")
		for _, l := range label.FindAllStringSubmatch(rest, -1) {
			metrics[name] = append(metrics[name], l[1])
		}
		metrics[name] = append(metrics[name], "instance", "job") // Prometheus adds these
	}
	return metrics
}

var (
	text     = regexp.MustCompile(`"[^"]*"`)
	selector = regexp.MustCompile(`([a-z_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`^\s*([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"\s*$`)
	grouping = regexp.MustCompile(`\b(?:by|ignoring|on)\s*\(([^)]*)\)`)
	window   = regexp.MustCompile(`\[(?:\d+[smhd]|\$__rate_interval)\]`)
	word     = regexp.MustCompile(`[a-zA-Z_$][a-zA-Z0-9_]*`)
	overTime = regexp.MustCompile(`\b(?:rate|increase|min_over_time)\(`)

	functions = []string{"sum", "max", "rate", "increase", "min_over_time", "histogram_quantile", "time", "topk", "and"}
)

// wantExpression checks that an expression of PromQL asks for metrics and labels that
// there are, by values that these can have.
func wantExpression(t *testing.T, expr string, metrics map[string][]string) {
	t.Helper()
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: unbalanced %s", expr, pair)
		}
	}
	if len(overTime.FindAllString(expr, -1)) != len(window.FindAllString(expr, -1)) {
		t.Errorf("%s: want a window in each function over time, and nowhere else", expr)
	}
	var labels []string // of all metrics in it
	for _, sel := range selector.FindAllStringSubmatch(expr, -1) {
		for m := range strings.SplitSeq(sel[2], ",") {
			parts := matcher.FindStringSubmatch(m)
			if parts == nil {
				t.Errorf("%s: what is %q?", expr, m)
				continue
			}
			if !slices.Contains(metrics[sel[1]], parts[1]) {
				t.Errorf("%s: %s has no label %s", expr, sel[1], parts[1])
			}
			wantValues(t, expr, sel[1], parts[1], parts[2])
		}
	}
	rest := selector.ReplaceAllString(text.ReplaceAllString(expr, ""), "$1")
	rest = window.ReplaceAllString(rest, "")
	for _, name := range word.FindAllString(grouping.ReplaceAllString(rest, ""), -1) {
		of, ok := metrics[name]
		if !ok && !slices.Contains(functions, name) {
			t.Errorf("%s: %s is no metric that the program has", expr, name)
		}
		labels = append(labels, of...)
	}
	if len(labels) == 0 {
		t.Errorf("%s: no metric", expr)
	}
	for _, g := range grouping.FindAllStringSubmatch(rest, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			if l = strings.TrimSpace(l); !slices.Contains(labels, l) {
				t.Errorf("%s: no label %s", expr, l)
			}
		}
	}
}

// wantValues checks the values that a label is compared with.
func wantValues(t *testing.T, expr, metric, label, pattern string) {
	t.Helper()
	var known []string
	switch {
	case label == "outcome" && (metric == "blobdock_sweeps_total" || metric == "blobdock_gc_total"):
		known = []string{"ok", "failed"}
	case label == "outcome", label == "cause":
		known = []string{"ok", "context ended"}
		for k := driver.Unknown; !strings.HasPrefix(k.String(), "kind "); k++ {
			known = append(known, k.String())
		}
	case label == "redirect":
		for _, r := range redirect.Reasons() {
			known = append(known, string(r))
		}
	case label == "op":
		for _, op := range []driver.Op{driver.OpStat, driver.OpOpen, driver.OpPut, driver.OpDelete} {
			known = append(known, string(op))
		}
	default:
		return
	}
	for v := range strings.SplitSeq(pattern, "|") {
		if !slices.Contains(known, v) {
			t.Errorf("%s: %s is never %q", expr, label, v)
		}
	}
}

// TestDashboard has each query of the dashboard ask for what the program exports.
func TestDashboard(t *testing.T) {
	metrics := exported(t)
	file, err := os.ReadFile("../docs/grafana/blobdock.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
			GridPos struct{ X, Y, W, H int }
		}
	}
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	ids := make(map[int]bool)
	for _, p := range dashboard.Panels {
		if p.Title == "" || len(p.Targets) == 0 || ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			wantExpression(t, target.Expr, metrics)
			for _, name := range word.FindAllString(target.Expr, -1) {
				shown[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	for name := range metrics {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		if strings.HasPrefix(name, "blobdock_") && !shown[name] {
			t.Errorf("%s is in no panel", name)
		}
	}
}

// TestAlerts has each alert be about what the program exports.
func TestAlerts(t *testing.T) {
	metrics := exported(t)
	file, err := os.ReadFile("../docs/prometheus/blobdock.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict(file, &rules); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if names[r.Alert] || r.Alert == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("alert %+v", r)
			}
			if _, err := time.ParseDuration(r.For); err != nil && r.For != "" {
				t.Errorf("%s: %v", r.Alert, err)
			}
			names[r.Alert] = true
			wantExpression(t, r.Expr, metrics)
		}
	}
	if len(names) == 0 {
		t.Error("no alerts")
	}
}

// TestMonitoringIsDescribed has the documentation name each metric, and no other.
func TestMonitoringIsDescribed(t *testing.T) {
	metrics := exported(t)
	file, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var described []string
	for _, m := range regexp.MustCompile("`(blobdock_[a-z_]+)").FindAllStringSubmatch(string(file), -1) {
		described = append(described, m[1])
		_, plain := metrics[m[1]]
		_, histogram := metrics[m[1]+"_bucket"]
		if !plain && !histogram {
			t.Errorf("%s is described, and not exported", m[1])
		}
	}
	for name := range metrics {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		if strings.HasPrefix(name, "blobdock_") && !slices.Contains(described, name) {
			t.Errorf("%s is exported, and not described", name)
		}
	}
}
