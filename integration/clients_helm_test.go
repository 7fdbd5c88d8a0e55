//go:build clients

package integration_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// helm pushes a chart with two versions, and pulls them by version, by a range of versions
// and by digest.
func helm(t *testing.T, c emulator.Client, s site) {
	p := newTool(t, c, "helm")
	p.do("create", "web")
	charts, chart := "oci://"+s.host+"/helm/charts", "oci://"+s.host+"/helm/charts/web"
	packed := map[string][]byte{}
	for _, version := range []string{"0.1.0", "1.0.0+build.7"} {
		p.do("package", "web", "--version", version)
		file := "web-" + version + ".tgz"
		body, err := os.ReadFile(filepath.Join(p.home, file))
		if err != nil {
			t.Fatal(err)
		}
		packed[version] = body
		p.do("push", "--plain-http", file, charts)
	}
	// A tag has no plus sign.
	s.wantTags(t, "helm/charts/web", "0.1.0", "1.0.0_build.7")

	pull := func(as, ref string, args ...string) string {
		t.Helper()
		dir := filepath.Join(p.home, as)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		p.do(append([]string{"pull", ref, "--plain-http", "-d", dir}, args...)...)
		files, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
		if err != nil || len(files) != 1 {
			t.Fatalf("pulled %v (%v), want one file", files, err)
		}
		return files[0]
	}
	wantFile(t, pull("first", chart, "--version", "0.1.0"), packed["0.1.0"])
	wantFile(t, pull("second", chart, "--version", "1.0.0+build.7"), packed["1.0.0+build.7"])
	wantFile(t, pull("range", chart, "--version", "<1.0.0"), packed["0.1.0"])
	digest := newTool(t, emulator.NewClient(t, "oras"), "oras").do("resolve", "--plain-http", s.host+"/helm/charts/web:0.1.0")
	wantFile(t, pull("digest", chart+"@"+digest), packed["0.1.0"])

	if out := p.do("show", "chart", chart, "--version", "0.1.0", "--plain-http"); !strings.Contains(out, "version: 0.1.0") {
		t.Errorf("show chart: %s", out)
	}
	s.delete(t, "helm/charts/web", digest)
	p.fails("pull", chart, "--version", "0.1.0", "--plain-http", "-d", p.home)
	s.wantTags(t, "helm/charts/web", "1.0.0_build.7")
}
