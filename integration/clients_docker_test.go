//go:build docker

package integration_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDocker pushes and pulls by the docker command. It needs an engine, and is built
// with the tag docker, as by `make test-docker`.
func TestDocker(t *testing.T) {
	eachWay(t, func(t *testing.T, base string) {
		image := strings.TrimPrefix(base, "http://") + "/docker/image:v1"
		id := command(t, "docker", "import", layerFile(t), image)
		t.Cleanup(func() { command(t, "docker", "image", "rm", "-f", image) })
		command(t, "docker", "push", "-q", image)
		wantRedirects(t, base, "docker/image")
		command(t, "docker", "image", "rm", image)
		command(t, "docker", "pull", "-q", image)
		if got := command(t, "docker", "image", "inspect", "-f", "{{.Id}}", image); got != id {
			t.Errorf("pulled image %s, pushed %s", got, id)
		}
	})
}

// TestSkopeo copies an image in and out by skopeo, which is what podman and CRI-O pull
// with. Debian has it in the package skopeo.
func TestSkopeo(t *testing.T) {
	eachWay(t, func(t *testing.T, base string) {
		copied := func(from, to string) {
			command(t, "skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", from, to)
		}
		img := randomImage(t, 2*mib, 2)
		writeImage(t, base, "skopeo/image:v1", img)
		wantRedirects(t, base, "skopeo/image")
		remote, local := "docker://"+strings.TrimPrefix(base, "http://")+"/skopeo/image:", "dir:"+filepath.Join(t.TempDir(), "image")
		copied(remote+"v1", local)
		copied(local, remote+"v2")
		readImage(t, base, "skopeo/image:v2", hashOf(t, img))
	})
}

// layerFile is a tar file with more in it than is ever streamed for its size. Its name
// in there makes each test's another layer.
func layerFile(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	c := content{3 * mib, 1}
	header := &tar.Header{Name: strings.ReplaceAll(t.Name(), "/", "-"), Mode: 0o644, Size: c.size}
	if err := w.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(c.bytes(t)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantRedirects looks where the layers of repo:v1 come from.
func wantRedirects(t *testing.T, base, repo string) {
	t.Helper()
	accept := map[string]string{"Accept": "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"}
	res := do(t, http.MethodGet, base+"/v2/"+repo+"/manifests/v1", accept, nil).want(t, http.StatusOK)
	var manifest struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal([]byte(res.body), &manifest); err != nil || len(manifest.Layers) == 0 {
		t.Fatalf("manifest %s (%v)", res.body, err)
	}
	status := http.StatusOK
	if strings.HasSuffix(t.Name(), "_on") {
		status = http.StatusTemporaryRedirect
	}
	for _, l := range manifest.Layers {
		do(t, http.MethodGet, base+"/v2/"+repo+"/blobs/"+l.Digest, nil, nil).want(t, status)
	}
}

// command returns the last line of what a command prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute) // also runs in a Cleanup
	defer cancel()
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
