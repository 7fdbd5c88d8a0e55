package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// observed is a running blobdock with its debug address.
type observed struct {
	*process
	debug string
}

// observing serves a store with all that there is to look at. It logs as JSON, at
// level debug.
func observing(t testing.TB, env []string, storage string) observed {
	t.Helper()
	debug := freeAddr(t)
	p := serving(t, env, func(addr string) []string {
		path := filepath.Join(t.TempDir(), "config.yml")
		text := fmt.Sprintf(`version: 0.1
log: {level: debug, formatter: json}
storage:
  blobdock: {url: %q}
  delete: {enabled: true}
http:
  addr: %q
  secret: %q
  debug: {addr: %q, prometheus: {enabled: true}}
`, storage, addr, secret, debug)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	})
	return observed{p, "http://" + debug}
}

// families are the metrics as Prometheus scrapes them.
func (o observed) families(t testing.TB) map[string]*dto.MetricFamily {
	t.Helper()
	res := do(t, http.MethodGet, o.debug+"/metrics", nil, nil).want(t, http.StatusOK)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(res.body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// by adds up a metric's values by a label; all of it with "".
func (o observed) by(t testing.TB, name, label string) map[string]float64 {
	t.Helper()
	f := o.families(t)[name]
	if f == nil {
		t.Fatalf("no metric %s", name)
	}
	sums := make(map[string]float64)
	for _, m := range f.GetMetric() {
		of := ""
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				of = l.GetValue()
			}
		}
		sums[of] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return sums
}

// status waits until a path of the debug address answers so, which it must within
// some seconds.
func (o observed) status(t testing.TB, path string, want int, body string) {
	t.Helper()
	var last reply
	if !within(20*time.Second, func() bool {
		last = do(t, http.MethodGet, o.debug+path, nil, nil)
		return last.StatusCode == want && strings.Contains(last.body, body)
	}) {
		t.Fatalf("%s answers %s %q, want %d %q", path, last.Status, last.body, want, body)
	}
}

// within tries for at most d whether something has come about.
func within(d time.Duration, done func() bool) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}
