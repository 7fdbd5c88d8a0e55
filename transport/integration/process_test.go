package integration_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a program that runs.
type process struct {
	cmd  *exec.Cmd
	out  transcript
	done chan struct{} // closed when it has ended
}

// transcript is what a program prints.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// start runs a program in a folder of its own, with no more environment than env.
func start(t *testing.T, program func() (string, error), env []string, args ...string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append([]string{"HOME=" + p.cmd.Dir, "AWS_EC2_METADATA_DISABLED=true", "OTEL_TRACES_EXPORTER=none"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// image runs blobdock-image to its end, and returns what it prints.
func image(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, imageProgram, nil, args...)
	<-p.done
	if !p.cmd.ProcessState.Success() {
		t.Fatalf("blobdock-image %q: %s\n%s", args, p.cmd.ProcessState, p.out.String())
	}
	return p.out.String()
}

// copyFlags are those of copies from and to registries of the test.
var copyFlags = []string{"copy", "--all", "--preserve-digests", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"}

func copied(t *testing.T, src, dst string) string {
	t.Helper()
	return image(t, append(copyFlags[:len(copyFlags):len(copyFlags)], src, dst)...)
}

// registry runs a registry on a storage section, and returns its host.
func registry(t *testing.T, program func() (string, error), env []string, storage map[string]any) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		_ = l.Close()
		storage := maps.Clone(storage)
		storage["redirect"] = map[string]any{"disable": true} // the clouds' own hosts are not here
		storage["maintenance"] = map[string]any{"uploadpurging": map[string]any{"enabled": false}}
		config, err := json.Marshal(map[string]any{ // which is YAML
			"version": "0.1", "log": map[string]any{"level": "error", "accesslog": map[string]any{"disabled": true}},
			"storage": storage, "http": map[string]any{"addr": addr, "secret": "shared"},
		})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "config.yml")
		if err := os.WriteFile(path, config, 0o600); err != nil {
			t.Fatal(err)
		}
		p := start(t, program, env, "serve", path)
		if p.serves(t, addr) {
			return addr
		}
	}
}

// serves waits until the registry serves. It is false when the address was taken.
func (p *process) serves(t *testing.T, addr string) bool {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		res, err := http.Get("http://" + addr + "/v2/")
		if err == nil {
			_ = res.Body.Close()
			return true
		}
		select {
		case <-p.done:
			if strings.Contains(p.out.String(), "address already in use") {
				return false
			}
			t.Fatalf("the registry ended: %s\n%s", p.cmd.ProcessState, p.out.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("no registry at %s\n%s", addr, p.out.String())
		}
	}
}
