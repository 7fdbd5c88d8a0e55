package compose

import (
	"bytes"
	"encoding/json"
	"go/version"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/distribution/v3/configuration"
)

const (
	root = "../.."
	file = root + "/docker-compose.yml"
)

// registries are the services to push to, and their ports.
var registries = map[string]string{"registry-s3": "5001", "registry-gcs": "5002", "registry-azure": "5003"}

// emulators are the services that the tests have too, by their names in compose.
var emulators = []string{"minio", "fakegcs", "azurite"}

func load(t *testing.T) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{file}, cli.WithName("blobdock"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRegistries(t *testing.T) {
	p := load(t)
	for name, port := range registries {
		s := p.Services[name]
		if len(s.Ports) != 1 || s.Ports[0].Published != port || s.Ports[0].Target != 5000 || s.Ports[0].HostIP != "127.0.0.1" {
			t.Errorf("%s: ports %+v, want 127.0.0.1:%s:5000", name, s.Ports, port)
		}
		if !slices.Contains(s.Command, "--redirect=off") {
			t.Errorf("%s sends clients to names that mean nothing outside: %q", name, s.Command)
		}
		if got := s.DependsOn["setup"].Condition; got != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s waits for setup: %q", name, got)
		}
		if s.HealthCheck == nil {
			t.Errorf("%s has no health check", name)
		}
	}
	for _, name := range emulators {
		if p.Services[name].HealthCheck == nil {
			t.Errorf("%s has no health check", name)
		}
		if got := p.Services["setup"].DependsOn[name].Condition; got != types.ServiceConditionHealthy {
			t.Errorf("setup waits for %s: %q", name, got)
		}
	}
}

// TestPinned compares the versions of images with what the tests use.
func TestPinned(t *testing.T) {
	var azurite struct{ Dependencies map[string]string }
	if err := json.Unmarshal(read(t, root+"/integration/emulator/azurite/package.json"), &azurite); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"minio":   "blobdock/minio:" + required(t, "minio", "github.com/minio/minio"),
		"fakegcs": "blobdock/fake-gcs-server:" + required(t, "fakegcs", "github.com/fsouza/fake-gcs-server"),
		"azurite": "blobdock/azurite:" + azurite.Dependencies["azurite"],
	}
	for name, image := range want {
		if got := load(t).Services[name].Image; got != image {
			t.Errorf("%s: image %s, want %s", name, got, image)
		}
	}
}

// required is the version of a module that an emulator's go.mod asks for.
func required(t *testing.T, emulator, module string) string {
	t.Helper()
	path := root + "/integration/emulator/" + emulator + "/go.mod"
	m := regexp.MustCompile(regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(read(t, path))
	if m == nil {
		t.Fatalf("%s doesn't require %s", path, module)
	}
	return string(m[1])
}

// TestDockerfiles looks at what builds the images, as far as that is possible
// without building them: that files are there, and what they start from.
func TestDockerfiles(t *testing.T) {
	base := regexp.MustCompile(`^(scratch|golang:\d+\.\d+\.\d+|node:\d+\.\d+\.\d+-alpine)$`)
	for name, s := range load(t).Services {
		if s.Build == nil {
			t.Errorf("%s: image %s is not built here", name, s.Image)
			continue
		}
		for line := range strings.Lines(string(read(t, dockerfile(s)))) {
			f := strings.Fields(line)
			switch {
			case len(f) > 1 && f[0] == "FROM":
				if !base.MatchString(f[1]) {
					t.Errorf("%s starts from %s, want a pinned version", name, f[1])
				}
				if v, ok := strings.CutPrefix(f[1], "golang:"); ok {
					checkGo(t, v)
				}
			case len(f) > 1 && f[0] == "COPY" && !strings.Contains(line, "--from="):
				for _, source := range f[1 : len(f)-1] {
					if _, err := os.Stat(filepath.Join(s.Build.Context, source)); err != nil {
						t.Errorf("%s copies %v", name, err)
					}
				}
			}
		}
	}
}

// checkGo compares a version of Go with what the modules ask for.
func checkGo(t *testing.T, has string) {
	t.Helper()
	for _, path := range []string{"go.mod", "integration/emulator/minio/go.mod", "integration/emulator/fakegcs/go.mod"} {
		for line := range bytes.Lines(read(t, filepath.Join(root, path))) {
			want, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "go ")
			if ok && version.Compare("go"+has, "go"+want) < 0 {
				t.Errorf("golang:%s is older than %s asks for: %s", has, path, want)
			}
		}
	}
}

// TestConfig reads the configuration that the registry's image has.
func TestConfig(t *testing.T) {
	c, err := configuration.Parse(bytes.NewReader(read(t, root+"/cmd/blobdock/docker.yml")))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Storage.Type(); got != "blobdock" || c.HTTP.Addr != ":5000" {
		t.Errorf("storage %s at %s, want blobdock at :5000", got, c.HTTP.Addr)
	}
}

// TestReleaseImage holds the image that goreleaser makes to the one of Dockerfile: it begins the
// same way as another user sees it, and has the same files.
func TestReleaseImage(t *testing.T) {
	image := func(name string) (lines []string) {
		_, last, ok := strings.Cut(string(read(t, filepath.Join(root, name))), "\nFROM scratch\n")
		if !ok {
			t.Fatalf("%s is not from scratch", name)
		}
		last = strings.NewReplacer("ARG TARGETPLATFORM\n", "", "--from=build /src/", "", "--from=build /out/blobdock /out/healthy", "BINARIES",
			"$TARGETPLATFORM/blobdock $TARGETPLATFORM/healthy", "BINARIES").Replace(last)
		return strings.Split(last, "\n")
	}
	if got, want := image("Dockerfile.release"), image("Dockerfile"); !slices.Equal(got, want) {
		t.Errorf("Dockerfile.release makes\n%s\nwant, as Dockerfile,\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for line := range strings.Lines(string(read(t, filepath.Join(root, "Dockerfile.release")))) {
		if _, v, ok := strings.Cut(line, " golang:"); ok {
			checkGo(t, strings.Fields(v)[0])
		}
	}
}

func dockerfile(s types.ServiceConfig) string {
	if filepath.IsAbs(s.Build.Dockerfile) {
		return s.Build.Dockerfile
	}
	return filepath.Join(s.Build.Context, s.Build.Dockerfile)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
