//go:build clients

package integration_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/blobdock/blobdock/integration/emulator"
)

// buildkit builds an image on one that it pulls, one layer of which is random, and exports
// its cache. Another builder that has nothing imports the cache and builds the same.
func buildkit(t *testing.T, c emulator.Client, s site) {
	writeImage(t, s.url, "buildkit/base:v1", onThisPlatform(t, randomImage(t, 2*mib, 2)))
	random := filepath.Join(t.TempDir(), "random")
	compile(t, random, randomProgram)
	for _, tt := range []struct {
		name, export, at string
		mediaType        types.MediaType
	}{
		// An image whose layers are what is cached.
		{"manifest", "type=registry,mode=max,image-manifest=true,ref=", "buildkit/cache:manifest", types.OCIManifestSchema1},
		// An index of what is cached: blobs, which no other index names.
		{"index", "type=registry,mode=max,image-manifest=false,ref=", "buildkit/cache:index", types.OCIImageIndex},
		// Within the image that is built.
		{"inline", "type=inline,ref=", "buildkit/image:inline", types.OCIManifestSchema1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image := "buildkit/image:" + tt.name
			first, second := newBuilder(t, c, s, random), newBuilder(t, c, s, random)
			first.build(s.host+"/"+image, "--export-cache", tt.export+s.host+"/"+tt.at)
			want := layersOf(t, s, image)
			if len(want) != 4 {
				t.Fatalf("the image has the layers %v, want two of the base and two more", want)
			}
			if got, err := remote.Head(reference(t, s.url, tt.at)); err != nil || got.MediaType != tt.mediaType {
				t.Errorf("%s: %v (%v), want %s", tt.at, got, err, tt.mediaType)
			}
			out := second.build(s.host+"/"+image+"-again", "--import-cache", "type=registry,ref="+s.host+"/"+tt.at)
			got := layersOf(t, s, image+"-again")
			if random := len(want) - 1; got[random] != want[random] {
				t.Errorf("with the cache imported the layers are %v, want %v\n%s", got, want, out)
			}
			second.build(s.host+"/"+image+"-other", "--no-cache")
			if got := layersOf(t, s, image+"-other"); got[len(got)-1] == want[len(want)-1] {
				t.Errorf("without a cache the layers are %v: is none of them random?", got)
			}
		})
	}
}

// onThisPlatform is an image that says what it runs on.
func onThisPlatform(t *testing.T, img v1.Image) v1.Image {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// compile builds a program of one file that needs nothing else to run.
func compile(t *testing.T, to, source string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", to, file)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// layersOf are the digests of an image's layers.
func layersOf(t *testing.T, s site, image string) []string {
	t.Helper()
	img, err := remote.Image(reference(t, s.url, image), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var layers []string
	for _, l := range m.Layers {
		layers = append(layers, l.Digest.String())
	}
	return layers
}

// builder is buildctl, with a buildkitd of its own that has nothing cached. What it builds
// has random as one of its files, and runs it.
type builder struct {
	tool
	addr string
}

func newBuilder(t *testing.T, c emulator.Client, s site, random string) builder {
	t.Helper()
	b := builder{tool: newTool(t, c, "buildctl")}
	b.addr = "unix://" + filepath.Join(b.home, "sock")
	for name, text := range map[string]string{
		"buildkitd.toml": fmt.Sprintf("[registry.%q]\nhttp = true\n", s.host),
		"Dockerfile":     "FROM " + s.host + "/buildkit/base:v1\nCOPY --chmod=755 random /random\nRUN [\"/random\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(b.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(random, filepath.Join(b.home, "random")); err != nil {
		t.Fatal(err)
	}

	runc := emulator.NewClient(t, "podman").Path(t, "runc")
	daemon := isolated(c.Command(t, b.home, nil, "buildkitd",
		"--config", "buildkitd.toml", "--root", filepath.Join(b.home, "root"), "--addr", b.addr,
		"--containerd-worker=false", "--oci-worker-binary", runc, "--oci-worker-net", "host", "--oci-worker-gc=false"))
	var log transcript
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = daemon.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("buildkitd: %s", log.String())
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, err := os.Stat(filepath.Join(b.home, "sock"))
		if err == nil {
			return b
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("buildkitd: %v\n%s", err, log.String())
		default:
		}
		if !errors.Is(err, os.ErrNotExist) || time.Now().After(end) {
			t.Fatalf("buildkitd: %v\n%s", err, log.String())
		}
	}
}

// randomProgram writes what is different each time.
const randomProgram = `package main

import (
	"crypto/rand"
	"os"
)

func main() {
	b := make([]byte, 1<<20)
	_, _ = rand.Read(b)
	if err := os.WriteFile("/out", b, 0o600); err != nil {
		panic(err)
	}
}
`

// build builds an image and pushes it. It returns what was printed.
func (b builder) build(image string, args ...string) string {
	b.t.Helper()
	stdout, stderr, err := b.try("", append([]string{
		"--addr", b.addr, "build", "--progress", "plain", "--frontend", "dockerfile.v0",
		"--local", "context=.", "--local", "dockerfile=.",
		"--output", "type=image,push=true,name=" + image,
	}, args...)...)
	if err != nil {
		b.t.Fatalf("build %s: %v\n%s%s", image, err, stdout, stderr)
	}
	return stdout + stderr
}
