package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v2"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// fresh is an environment in which nobody has set anything up.
func fresh(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		for _, prefix := range []string{"AWS_", "AZURE_", "GOOGLE_", "STORAGE_", "REGISTRY_", "BLOBDOCK_CLOUDFRONT", "BLOBDOCK_CLOUDCDN"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, value) // to be restored
				_ = os.Unsetenv(name)
			}
		}
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// settingsOf is what a storage section comes to.
func settingsOf(t *testing.T, section map[string]any) ([]driver.Setting, error) {
	t.Helper()
	c, err := blobdock.ParseConfig(section)
	if err != nil {
		return nil, err
	}
	return c.Settings(t.Context())
}

// TestOptionsTable holds the tables of docs/options.md to what the parsers take, and to
// their defaults.
func TestOptionsTable(t *testing.T) {
	fresh(t)
	text, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[string][]string) // the cells after the name
	var names []string
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| (.*) \\|.*\\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if told[m[1]] != nil {
			t.Errorf("%s has two rows", m[1])
		}
		told[m[1]] = strings.Split(m[2], " | ")
		names = append(names, m[1])
	}
	for column, storage := range []string{"s3://b?region=eu-west-1", "gs://b", "azblob://c?account=myaccount"} {
		settings, err := settingsOf(t, map[string]any{"url": storage})
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[string]string)
		for _, name := range names {
			want[name] = "-"
		}
		for _, s := range settings {
			switch want[s.Name] = s.Value; {
			case s.Secret:
				want[s.Name] = "secret"
			case s.Value == "":
				want[s.Name] = "none"
			}
		}
		got := make(map[string]string)
		for name, cells := range told {
			got[name] = cells[min(column, len(cells)-1)]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-program +docs/options.md):\n%s", storage, diff)
		}
	}
	// What others call it names what there is.
	_, peers, _ := strings.Cut(string(text), "## What others call it")
	for _, line := range strings.Split(peers, "\n") {
		cells := strings.Split(line, " | ")
		if len(cells) != 2 || !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)(?:=[^`]*)?`").FindAllStringSubmatch(cells[1], -1) {
			if told[m[1]] == nil && !strings.HasPrefix(m[1], "blobdock_") {
				t.Errorf("%q: no option is called %s", cells[0], m[1])
			}
		}
	}
}

// blocks are the fenced blocks of a language in a page.
func blocks(text, language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// pages are what a user reads, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, file := range append(files, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(text)
	}
	return texts
}

// words splits a line as a shell does that has no variables.
func words(line string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`).FindAllString(line, -1) {
		list = append(list, strings.NewReplacer("'", "", `"`, "").Replace(m))
	}
	return list
}

// TestDocumentedCommands parses every command line of blobdock in the documentation:
// commands and flags exist, and the URLs' options do.
func TestDocumentedCommands(t *testing.T) {
	fresh(t)
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000") // as the emulators' variables
	found := 0
	inline := regexp.MustCompile("`(blobdock [a-z][^`]*)`")
	for page, text := range pages(t) {
		var lines []string
		for _, block := range blocks(text, "sh") {
			lines = append(lines, strings.Split(strings.ReplaceAll(block, "\\\n", " "), "\n")...)
		}
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.ReplaceAll(m[1], "\n", " "))
		}
		for _, line := range lines {
			line, _, _ = strings.Cut(line, " # ")
			args := words(line)
			for len(args) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(args[0]) {
				args = args[1:] // variables of this command
			}
			switch {
			case len(args) > 1 && args[0] == "blobdock":
				args = args[1:]
			case len(args) > 3 && slices.Equal(args[:3], []string{"go", "run", "./cmd/blobdock"}):
				args = args[3:]
			default:
				continue
			}
			found++
			checkLine(t, page, line, args)
		}
	}
	if found < 20 {
		t.Errorf("found %d command lines only", found)
	}
}

func checkLine(t *testing.T, page, line string, args []string) {
	t.Helper()
	cmd, rest, err := rootCommand().Find(args)
	if err == nil && !cmd.HasParent() {
		t.Errorf("%s: %s: no such command", page, line)
		return
	}
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil && cmd.Flags().NArg() > 0 { // in a sentence it may stand without
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("%s: %s: %v", page, line, err)
	}
	urls := cmd.Flags().Args()
	if f := cmd.Flags().Lookup("storage"); f != nil && f.Changed {
		urls = append(urls, f.Value.String())
	}
	for _, u := range urls {
		if !strings.Contains(u, "://") {
			continue
		}
		if _, err := settingsOf(t, map[string]any{"url": u}); err != nil {
			t.Errorf("%s: %s: %v", page, line, err)
		}
	}
}

// TestDocumentedConfigurations loads every piece of configuration in the documentation
// into a whole one, and reads its storage section.
func TestDocumentedConfigurations(t *testing.T) {
	fresh(t)
	key := filepath.Join(t.TempDir(), "key.pem")
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	if err := os.WriteFile(key, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cdnKey := filepath.Join(t.TempDir(), "cdn.key")
	if err := os.WriteFile(cdnKey, []byte("nZtRohdNF9m3cKM24IcK4w==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := 0
	for page, text := range pages(t) {
		for _, block := range blocks(text, "yaml") {
			found++
			whole := make(map[string]any)
			if err := yaml.UnmarshalStrict([]byte(block), &whole); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
				continue
			}
			for name, v := range map[string]any{"version": 0.1, "storage": map[string]any{blobdock.Name: map[string]any{"url": "mem://docs"}}} {
				if whole[name] == nil {
					whole[name] = v
				}
			}
			merged, err := yaml.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			// Distribution passes over names that it does not know.
			if err := yaml.UnmarshalStrict(merged, new(configuration.Configuration)); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
			}
			config, err := configuration.Parse(strings.NewReader(strings.NewReplacer(
				"/etc/blobdock/cloudfront.pem", key, "/etc/blobdock/cloudcdn.key", cdnKey).Replace(string(merged))))
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
				continue
			}
			section := maps.Clone(config.Storage[blobdock.Name])
			if _, err := settingsOf(t, section); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d pieces only", found)
	}
}

// TestDocumentedPermissions holds the guide's policy and roles to what "blobdock probe"
// names.
func TestDocumentedPermissions(t *testing.T) {
	fresh(t)
	guide := pages(t)["operating.md"]
	permissions := func(storage string) map[driver.Op]string {
		b, err := driver.Open(t.Context(), storage)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		return b.Features().Permissions
	}
	actions := regexp.MustCompile(`s3:[A-Za-z]+`)
	probed := make(map[string]bool)
	for _, text := range permissions("s3://b?region=eu-west-1") {
		for _, action := range actions.FindAllString(text, -1) {
			probed[action] = true
		}
	}
	allowed := make(map[string]bool)
	for _, block := range blocks(guide, "json") {
		for _, action := range actions.FindAllString(block, -1) {
			allowed[action] = true
		}
	}
	if diff := cmp.Diff(probed, allowed); diff != "" {
		t.Errorf("policy for S3 (-probe +docs/operating.md):\n%s", diff)
	}
	needs := regexp.MustCompile(`(?:storage|iam)\.[A-Za-z.]+|\(role [A-Za-z ]+\)`)
	for _, storage := range []string{"gs://b", "azblob://c?account=myaccount"} {
		found := 0
		for op, text := range permissions(storage) {
			for _, role := range needs.FindAllString(text, -1) {
				found++
				if role = strings.TrimSuffix(strings.TrimPrefix(role, "(role "), ")"); !strings.Contains(guide, role) {
					t.Errorf("%s: %s needs %s, of which docs/operating.md says nothing", storage, op, role)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s: nothing is named", storage)
		}
	}
}
