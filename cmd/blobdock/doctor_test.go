package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	blobdock "github.com/blobdock/blobdock/registry"
)

// configFile is a configuration of a store at a URL.
func configFile(t *testing.T, storage, more string) string {
	t.Helper()
	return written(t, fmt.Sprintf("version: 0.1\nhttp: {addr: \":5000\", secret: shared-secret}\nstorage:\n  blobdock: {url: %q}\n%s", storage, more))
}

func TestDoctor(t *testing.T) {
	fresh(t)
	dir, _ := pushed(t)
	before := files(t, dir)
	for _, target := range []string{"file://" + dir, configFile(t, "file://"+dir, "")} {
		page, err := run(t, doctorCommand(), target)
		if err != nil {
			t.Errorf("%v; printed\n%s", err, page)
		}
		for _, want := range []string{
			"BLOBDOCK DOCTOR: no problems, ", "  version        blobdock ", " CPUs\n", "  distribution   v3.", "  profile        file\n",
			"below blobdock-probe/, which it removes again", "  ok       put ", "  ok       clock ", "differs from the store's by", "WHAT THE CONFIGURATION DOES\n",
			"  pulls          blobs are streamed: the store signs no URLs", "  sweep          every 24h0m0s", "  gc             off", "    url: file://" + dir,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %q on the page\n%s", target, want, page)
			}
		}
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("the store is changed (-before +after):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "blobdock-probe", "*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestDoctorReadOnly examines a directory that nobody may write to, and makes no folder.
func TestDoctorReadOnly(t *testing.T) {
	fresh(t)
	dir := damaged(t)
	for _, more := range [][]string{nil, {"--sample", "0"}} {
		page, _ := run(t, doctorCommand(), append(more, "--read-only", "file://"+dir)...)
		if !strings.Contains(page, "written        nothing (--read-only)") || strings.Contains(page, " put ") || strings.Contains(page, "CHECK OF A SAMPLE: app\n") != (more == nil) {
			t.Errorf("%q printed\n%s", more, page)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "blobdock-probe")); !os.IsNotExist(err) {
		t.Errorf("the probe's folder: %v", err)
	}
}

// TestDoctorProblems checks that a page tells what is wrong, and that the exit code does.
func TestDoctorProblems(t *testing.T) {
	fresh(t)
	missing := filepath.Join(t.TempDir(), "missing")
	for name, tt := range map[string]struct {
		target string
		want   string // among the problems
	}{
		"no directory":   {"file://" + missing, "probe, list: list \"docker/registry/v2/\": no such bucket"},
		"no file":        {missing + ".yml", "configuration: open " + missing + ".yml: no such file"},
		"no option":      {"mem://x?colour=blue", `storage: storage URL mem://x?...: unknown parameter "colour"`},
		"no value":       {"mem://x?memory_budget=much", `memory_budget`},
		"another driver": {written(t, "version: 0.1\nstorage:\n  filesystem: {rootdirectory: /srv}\n"), "storage: driver filesystem is not blobdock"},
		"no YAML":        {written(t, "version: 0.1\nstorage: [blobdock]\n"), "configuration: "},
		"a wrong type":   {written(t, "version: 0.1\nhttp: {draintimeout: hunter2-pw}\nstorage: {inmemory: {}}\n"), "cannot unmarshal !!str `REDACTED`"},
	} {
		page, err := run(t, doctorCommand(), tt.target)
		if err == nil || !strings.Contains(err.Error(), "1 problem") {
			t.Errorf("%s: error %v", name, err)
		}
		_, problems, _ := strings.Cut(page, "\nPROBLEMS\n")
		problems, _, _ = strings.Cut(problems, "\n\n")
		if !strings.Contains(problems, tt.want) || !strings.HasPrefix(page, "BLOBDOCK DOCTOR: 1 problem, ") || !strings.Contains(page, "distribution   v3.") {
			t.Errorf("%s: want %q on the page\n%s", name, tt.want, page)
		}
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("doctor made the directory: %v", err)
	}
}

// TestDoctorStoreIsDown waits no longer than for the first check.
func TestDoctorStoreIsDown(t *testing.T) {
	fresh(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDs3cr3t")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-key")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	page, err := run(t, doctorCommand(), "s3://b?region=r&retries=0&profile=minio&endpoint=http://"+ln.Addr().String())
	if err == nil || !strings.Contains(page, "probe, list: list \"docker/registry/v2/\": store unavailable") || strings.Contains(page, " put ") || !strings.Contains(page, "part buffers") {
		t.Errorf("error %v, page\n%s", err, page)
	}
}

// TestDoctorTimeout has a store that takes requests and answers none.
func TestDoctorTimeout(t *testing.T) {
	fresh(t)
	store := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer store.Close()
	page, err := run(t, doctorCommand(), "--timeout", "1s", "s3://b?region=r&profile=minio&anonymous=true&endpoint="+store.URL)
	if err == nil || !strings.Contains(page, "BLOBDOCK DOCTOR: 1 problem, ") || !strings.Contains(page, "within --timeout") || !strings.Contains(page, "part buffers") {
		t.Errorf("error %v, page\n%s", err, page)
	}
}

// TestDoctorTellsNoSecret has secrets in the configuration, the environment, and in what a store
// says that repeats all it was sent.
func TestDoctorTellsNoSecret(t *testing.T) {
	fresh(t)
	t.Setenv("AZURE_STORAGE_KEY", "s3cr3t-elsewhere")
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>AKIDs3cr3t, s3cr3t-key, s3cr3t-token, s3cr3t-elsewhere, %s?X-Amz-Signature=s3cr3t-signature</Message></Error>", "http://"+r.Host)
	}))
	defer store.Close()
	text := strings.Replace(secretsEverywhere, "region=eu-west-1&", "region=eu-west-1&retries=0&endpoint="+store.URL+"&", 1)
	if text == secretsEverywhere {
		t.Fatal("the store's URL is another one")
	}
	text = strings.Replace(text, "    role_arn: arn:aws:iam::1:role/r\n    external_id: \"0123\"\n", "", 1)
	text = strings.Replace(text, "    external_id: \"0123\"\n    role_arn: arn:aws:iam::1:role/r\n", "", 1)
	for _, format := range []string{"--json=false", "--json"} {
		page, err := run(t, doctorCommand(), format, written(t, text))
		if err == nil || !strings.Contains(page, "access denied") {
			t.Errorf("error %v, page\n%s", err, page)
		}
		for _, secret := range []string{"s3cr3t", "530773"} {
			if i := strings.Index(page+errorText(err), secret); i >= 0 {
				t.Errorf("%s tells %s: ...%s...", format, secret, page[max(0, i-200):min(len(page), i+200)])
			}
		}
		for _, name := range []string{"secret_key", "session_token", "Authorization", "clientsecret", "sentinelpassword", "apikey"} {
			if !strings.Contains(page, name) {
				t.Errorf("%s: the field %s is gone", format, name)
			}
		}
	}
}

func TestDoctorJSON(t *testing.T) {
	fresh(t)
	page, err := run(t, doctorCommand(), "--json", "file://"+damaged(t))
	if err != nil {
		t.Errorf("what is young is not judged: %v", err)
	}
	var got struct {
		Doctor   int
		Version  string
		Problems []note
		Machine  machine
		Storage  struct{ URL string }
		Limits   []effect
		Probe    []struct{ Check, Status string }
		Sample   struct {
			Repositories []string
			Summary      map[string]any
		}
		Effects       []effect
		Configuration map[string]any
	}
	if err := json.Unmarshal([]byte(page), &got); err != nil {
		t.Fatalf("%v\n%s", err, page)
	}
	storage, _ := got.Configuration["storage"].(map[string]any)
	if got.Doctor != 1 || got.Problems == nil || got.Machine.CPUs == 0 || len(got.Limits) == 0 || len(got.Probe) < 10 || len(got.Effects) == 0 || storage[blobdock.Name] == nil {
		t.Errorf("printed\n%s", page)
	}
	if !slices.Equal(got.Sample.Repositories, []string{"app"}) || got.Sample.Summary["complete"] != true || got.Sample.Summary["young"] != 2.0 {
		t.Errorf("sample %+v", got.Sample)
	}
}

func TestEffects(t *testing.T) {
	fresh(t)
	for _, tt := range []struct{ storage, more, what, want string }{
		{"s3://b?region=r", "", "pulls", "blobs are redirected to signed URLs of the store for 20m0s; streamed are blobs below 14600B"},
		{"s3://b?region=r&redirect_networks=10.0.0.0/8&redirect_except_agents=old", "", "pulls", "clients outside of redirect_networks, clients of redirect_except_agents"},
		{"s3://b?region=r&anonymous=true", "", "pulls", "the store signs no URLs"},
		{"s3://b?region=r", "  redirect: {disable: true}\n", "pulls", "redirect is off"},
		{"mem://x", "", "deletes", "are refused"},
		{"mem://x", "  delete: {enabled: true}\n", "deletes", "may be deleted"},
		{"mem://x", "  maintenance: {readonly: {enabled: true}}\n", "pushes", "are refused: the registry is read-only"},
		{"mem://x?memory_budget=64MiB&max_requests=5", "", "pushes", "part buffers of 64MiB in all"},
		{"mem://x", "  maintenance: {uploadpurging: {enabled: false}}\n", "sweep", "off"},
		{"mem://x", "  maintenance: {uploadpurging: {enabled: true, age: 100h, interval: 2h, dryrun: true}}\n", "sweep", "every 2h0m0s, of uploads that nobody touched for 100h0m0s (dryrun"},
		{"mem://x", "  maintenance: {gc: {untagged: true, quarantine: 48h}}\n", "gc", "every 24h0m0s, of what is older than 24h0m0s and no manifest names, 10000 objects at most; untagged manifests go; removed objects are kept for 48h0m0s"},
		{"mem://x", "", "gc", "off"},
		{"mem://x", "  maintenance: {pulls: {enabled: true}, usage: {enabled: true}}\n", "usage", "is counted every 24h0m0s"},
		{"mem://x", "auth: {htpasswd: {realm: r, path: /p}}\n", "access", "by auth htpasswd"},
		{"mem://x", "proxy: {remoteurl: \"https://u:pass@example.com\"}\n", "cache", "is a pull-through cache of https://REDACTED@example.com"},
	} {
		config, err := configurationOf(configFile(t, tt.storage, tt.more))
		if err != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		c, err := blobdock.ParseConfig(config.Storage.Parameters())
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.OpenBucket(t.Context())
		if err != nil {
			t.Fatalf("%+v: %v", tt, err)
		}
		defer b.Close()
		all, err := effectsOf(config, c, b.Features())
		if err != nil {
			t.Fatal(err)
		}
		texts := make(map[string]string)
		for _, e := range all {
			texts[e.What] = e.Text
		}
		if !strings.Contains(texts[tt.what], tt.want) {
			t.Errorf("%s, %q: %s: %q, want %q", tt.storage, tt.more, tt.what, texts[tt.what], tt.want)
		}
		if _, ok := texts["replicas"]; ok {
			t.Errorf("%v: http.secret is set", slices.Sorted(maps.Keys(texts)))
		}
	}
}

func TestDoctorMemory(t *testing.T) {
	for limit, want := range map[int64]int{0: 0, 448 << 20: 0, 256 << 20: 1} {
		r := report{Machine: machine{MemoryLimit: limit}}
		if r.examineMemory(256 << 20); len(r.Remarks) != want {
			t.Errorf("limit %d: %v", limit, r.Remarks)
		}
	}
}

func TestSieve(t *testing.T) {
	var s sieve
	s.add("short")
	s.add(" long-secret\n")
	if got := s.clean("short, long-secret, https://u:p@h/p?sig=1"); got != "short, REDACTED, https://REDACTED@h/p?REDACTED" {
		t.Error(got)
	}
}
