//go:build clients

package integration_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	"github.com/blobdock/blobdock/integration/emulator"
)

// podman pushes two images of 60 files as zstd:chunked, 5 of which differ, and pulls the
// first and then the second. It fetches the files that differ alone, and no more bytes than
// from distribution with its driver for directories.
func podman(t *testing.T, c emulator.Client, s site) {
	stock := stockDirectory(t)
	redirected := s.countRedirected("containers/")
	of := func(base string) int64 {
		fetched := new(atomic.Int64)
		host := strings.TrimPrefix(counted(t, base, fetched), "http://")
		pushing, pulling := newPodman(t, c, host), newPodman(t, c, host)
		for version := range 2 {
			image := fmt.Sprintf("%s/podman/image:v%d", host, version)
			pushing.do("import", pushing.archive(version), image)
			pushing.do("push", "--compression-format=zstd:chunked", image)
		}
		var bytes int64
		for version := range 2 {
			fetched.Store(0)
			redirected.Store(0)
			image := fmt.Sprintf("%s/podman/image:v%d", host, version)
			pulling.do("pull", image)
			bytes = fetched.Load() + redirected.Load()
			t.Logf("%s: %d bytes from the registry, %d from the store", image, fetched.Load(), redirected.Load())
			if version == 0 && bytes < filesInLayer*fileSize {
				t.Errorf("%s: %d bytes are fewer than what was pushed: are they counted?", image, bytes)
			}
			pulling.wantFiles(image, version)
		}
		return bytes
	}
	got, want := of(s.url), of(stock)
	if limit := want + want/5; got > limit || want > filesInLayer*fileSize/4 {
		t.Errorf("an image of which %d of %d files changed: %d bytes fetched, and %d from distribution", filesChanged, filesInLayer, got, want)
	}
}

// stockDirectory is distribution's registry as it is, on a directory.
func stockDirectory(t *testing.T) string {
	t.Helper()
	config := &configuration.Configuration{Storage: configuration.Storage{"filesystem": {"rootdirectory": t.TempDir()}}}
	config.HTTP.Secret = secret
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	app := handlers.NewApp(ctx, config)
	srv := httptest.NewServer(app)
	t.Cleanup(func() {
		srv.Close()
		_ = app.Shutdown()
		cancel()
	})
	return srv.URL
}

// counted stands before a registry and counts the bytes of what it answers.
func counted(t *testing.T, base string, n *atomic.Int64) string {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the registry answers with URLs of this proxy
		},
		ModifyResponse: func(res *http.Response) error {
			res.Body = countedBody{res.Body, n}
			return nil
		},
	})
	t.Cleanup(srv.Close)
	return srv.URL
}

// countedBody counts the bytes that are read.
type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// countRedirected counts the bytes that the store answers to a client of that name itself.
func (s site) countRedirected(agent string) *atomic.Int64 {
	n := new(atomic.Int64)
	s.store.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasPrefix(r.UserAgent(), agent) {
			w = countedWriter{w, n}
		}
		next.ServeHTTP(w, r)
	})
	return n
}

// countedWriter counts the bytes that are written.
type countedWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w countedWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return w.ResponseWriter.Write(p)
}

func (w countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// podmanTool is podman with a storage of its own.
type podmanTool struct{ tool }

func newPodman(t *testing.T, c emulator.Client, host string) podmanTool {
	t.Helper()
	home := t.TempDir()
	for name, text := range map[string]string{
		".config/containers/policy.json": `{"default": [{"type": "insecureAcceptAnything"}]}`,
		"registries.conf":                fmt.Sprintf("[[registry]]\nlocation = %q\ninsecure = true\n", host),
		"storage.conf": fmt.Sprintf(`[storage]
driver = "overlay"
graphroot = "%[1]s/graph"
runroot = "%[1]s/run"
[storage.options]
pull_options = {enable_partial_images = "true"}
`, home),
		"containers.conf": fmt.Sprintf(`[engine]
events_logger = "none"
cgroup_manager = "cgroupfs"
runtime = "runc"
conmon_path = [%[2]q]
tmp_dir = "%[1]s/tmp"
static_dir = "%[1]s/static"
volume_path = "%[1]s/volumes"
[engine.runtimes]
runc = [%[3]q]
[network]
network_backend = "cni"
network_config_dir = "%[1]s/net"
`, home, c.Path(t, "conmon"), c.Path(t, "runc")),
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{
		"CONTAINERS_CONF=" + home + "/containers.conf",
		"CONTAINERS_STORAGE_CONF=" + home + "/storage.conf",
		"CONTAINERS_REGISTRIES_CONF=" + home + "/registries.conf",
	}
	return podmanTool{tool{t, home, func(args ...string) *exec.Cmd {
		return isolated(c.Command(t, home, env, "podman", args...))
	}}}
}

// isolated runs a command with mounts of its own, and with /var/lib and /run empty: some
// paths of podman's can't be configured. It takes root.
func isolated(cmd *exec.Cmd) *exec.Cmd {
	const script = `mount -t tmpfs none /var/lib && mount -t tmpfs none /run && exec "$@"`
	cmd.Args = append([]string{"unshare", "--mount", "sh", "-c", script, "sh"}, append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = "/usr/bin/unshare"
	return cmd
}

const (
	filesInLayer = 60
	filesChanged = 5
	fileSize     = 100 * kib
)

// fileOf is a file of a version of the image, of which no part is in another. Of 60 files
// five differ between two versions.
func fileOf(version, i int) (name string, body []byte) {
	seed := [32]byte{byte(i)}
	if i%(filesInLayer/filesChanged) == 3 {
		seed[1] = byte(version)
	}
	body = make([]byte, fileSize)
	_, _ = rand.NewChaCha8(seed).Read(body)
	return fmt.Sprintf("files/file%02d", i), body
}

// archive is a tar file of a version's files.
func (p podmanTool) archive(version int) string {
	p.t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	// Without it podman may copy a file that it has before it has made the folder, and then
	// gives up and pulls all.
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "files/", Mode: 0o755}); err != nil {
		p.t.Fatal(err)
	}
	for i := range filesInLayer {
		name, body := fileOf(version, i)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: fileSize}); err != nil {
			p.t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(p.home, fmt.Sprintf("v%d.tar", version))
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// wantFiles compares the files of an image that was pulled.
func (p podmanTool) wantFiles(image string, version int) {
	p.t.Helper()
	upper := p.do("image", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", image)
	for i := range filesInLayer {
		name, body := fileOf(version, i)
		wantFile(p.t, filepath.Join(upper, name), body)
	}
}
