//go:build docker

package compose

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/blobdock/blobdock/integration/emulator"
)

// project is fixed as the ports are: what a killed test has left is found again.
const project = "blobdock-compose-test"

// TestUp brings the file up and pushes and pulls an image at each port. It is
// the one test that needs a Docker engine, and is built with the tag docker, as by
// `make test-docker`.
//
// The images' last stages are built as the Dockerfiles have them. The stages before,
// which start from images of a registry, are replaced by what this machine has built.
func TestUp(t *testing.T) {
	compose(t, "config", "-q")
	services := load(t).Services
	built := build(t)
	image(t, services["registry-s3"].Image, lastStage(t, root+"/Dockerfile"), "scratch", built)
	image(t, services["setup"].Image, lastStage(t, "setup.Dockerfile"), "scratch", built)
	for _, e := range []string{"minio", "fakegcs"} {
		image(t, services[e].Image, lastStage(t, e+".Dockerfile"), emulatorImage(t, e), filepath.Join(built, "out"))
	}
	docker(t, "tag", emulatorImage(t, "azurite"), services["azurite"].Image)

	compose(t, "down", "--volumes", "--remove-orphans", "--timeout", "1")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(compose(t, "ps", "-a"), compose(t, "logs", "--no-color", "--tail", "20"))
		}
		compose(t, "down", "--volumes", "--timeout", "1")
	})
	compose(t, "up", "-d", "--no-build")
	for name, port := range registries {
		t.Run(name, func(t *testing.T) { pushAndPull(t, "127.0.0.1:"+port) })
		awaitHealthy(t, strings.TrimSpace(compose(t, "ps", "-q", name)))
	}
	t.Run("image_alone", func(t *testing.T) { testAlone(t, services["registry-s3"].Image) })
}

// testAlone runs the registry's image by its own configuration, and overrides that.
func testAlone(t *testing.T, image string) {
	id := strings.TrimSpace(docker(t, "run", "-d", "-p", "127.0.0.1::6000", "-e", "REGISTRY_HTTP_ADDR=:6000", image))
	t.Cleanup(func() { docker(t, "rm", "-f", "-v", id) })
	pushAndPull(t, strings.TrimSpace(docker(t, "port", id, "6000/tcp")))
}

// build makes a folder of what the build stages would: the programs below out, and
// the rest by its path in there.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const module = "github.com/blobdock/blobdock/"
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "out")+"/",
		module+"cmd/blobdock", module+"integration/compose/healthy", module+"integration/compose/setup")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	if err := os.Rename(filepath.Join(dir, "out", "setup"), filepath.Join(dir, "setup")); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"out/data", "etc/ssl/certs", "src/cmd/blobdock"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing here speaks TLS.
	write(t, filepath.Join(dir, "etc/ssl/certs/ca-certificates.crt"), nil)
	write(t, filepath.Join(dir, "src/cmd/blobdock/docker.yml"), read(t, root+"/cmd/blobdock/docker.yml"))
	return dir
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// lastStage is what a Dockerfile has from its last FROM on.
func lastStage(t *testing.T, path string) string {
	t.Helper()
	s := string(read(t, path))
	return s[strings.LastIndex(s, "\nFROM "):]
}

// image builds an image, of which stage is the last stage and the one before is made of base
// and a folder.
func image(t *testing.T, name, stage, base, dir string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Dockerfile")
	write(t, path, []byte("FROM "+base+" AS build\nCOPY . /\n"+stage))
	docker(t, "build", "-q", "-t", name, "-f", path, dir)
}

func emulatorImage(t *testing.T, name string) string {
	t.Helper()
	image, err := emulator.Image(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// pushAndPull has one layer that is small and one that takes several parts.
func pushAndPull(t *testing.T, registry string) {
	t.Helper()
	awaitRegistry(t, registry)
	ref, err := name.ParseReference(registry + "/compose/image:v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{10 << 10, 20 << 20} {
		img, err := random.Image(size, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
			t.Fatalf("push: %v", err)
		}
		got, err := remote.Image(ref, remote.WithContext(t.Context()))
		if err != nil {
			t.Fatalf("pull: %v", err)
		}
		if err := validate.Image(got); err != nil {
			t.Errorf("pull: %v", err)
		}
		want, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if d, err := got.Digest(); err != nil || d != want {
			t.Errorf("pulled %v (%v), want %v", d, err, want)
		}
	}
}

func awaitRegistry(t *testing.T, registry string) {
	t.Helper()
	await(t, registry, func() bool {
		res, err := http.Get("http://" + registry + "/v2/")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func awaitHealthy(t *testing.T, container string) {
	t.Helper()
	await(t, "health of "+container, func() bool {
		return strings.TrimSpace(docker(t, "inspect", "-f", "{{.State.Health.Status}}", container)) == "healthy"
	})
}

func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !there(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: nothing after a minute", what)
		}
	}
}

// compose runs the plugin, or the program that came before it.
func compose(t *testing.T, args ...string) string {
	t.Helper()
	command := []string{"docker", "compose"}
	if err := exec.CommandContext(t.Context(), "docker", "compose", "version").Run(); err != nil {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			t.Fatal("neither docker compose nor docker-compose is there; BLOBDOCK_DOCKER=install make test-docker installs it")
		}
		command = []string{"docker-compose"}
	}
	return run(t, append(append(command, "-p", project, "-f", file), args...)...)
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, append([]string{"docker"}, args...)...)
}

// run returns what a command prints. It also runs when the test is over.
func run(t *testing.T, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(command, " "), err, out, &stderr)
	}
	return string(out)
}
