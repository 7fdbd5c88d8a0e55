package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programDir is where the program under test is built to, once.
var programDir string

// program and stockProgram are the paths of blobdock and of distribution's registry with
// its own drivers. They are built without the race detector, whose memory is not theirs.
var (
	program      = built("..", "./cmd/blobdock", "go.mod")
	stockProgram = built("../bench/stock", ".", "go.mod")
)

// oldStock is distribution's registry in the versions that write append blobs on Azure.
var oldStock = map[string]func() (path string, err error){
	"v3.0.0": built("stock", ".", "v3.0.0.mod"),
	"v3.1.0": built("stock", ".", "v3.1.0.mod"),
	"v3.1.1": built("stock", ".", "go.mod"),
}

// built builds a package of the module in a folder, once, with the versions that a file
// there names.
func built(module, pkg, versions string) func() (path string, err error) {
	return sync.OnceValues(func() (string, error) {
		// The go command keeps the results of tests by the files that they open, and
		// does not see what another go command reads.
		dir := filepath.Join(module, pkg)
		sources, err := filepath.Glob(filepath.Join(dir, "*"))
		for _, name := range sources {
			if err == nil {
				_, err = os.ReadFile(name)
			}
		}
		if err != nil {
			return "", err
		}
		path := filepath.Join(programDir, filepath.Base(dir)+"-"+versions)
		cmd := exec.Command("go", "build", "-modfile", versions, "-o", path, pkg)
		cmd.Dir = module
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", dir, err, out)
		}
		return path, nil
	})
}

// process is a running registry.
type process struct {
	url            string
	cmd            *exec.Cmd
	stdout, stderr transcript
	done           chan struct{} // closed when it has ended
}

// launch runs blobdock in a folder of its own, with no more environment than env.
func launch(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	return start(t, program, env, args...)
}

// start is launch for either program.
func start(t testing.TB, program func() (string, error), env []string, args ...string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append([]string{"HOME=" + p.cmd.Dir, "AWS_EC2_METADATA_DISABLED=true", "OTEL_TRACES_EXPORTER=none"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// peak is the largest resident set that the process has had, in bytes; 0 when it has
// ended, or where the system does not tell.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func (p *process) peak() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	return 0
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// code waits for the process to end and returns its exit code.
func (p *process) code(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("blobdock still runs after %v\n%s%s", within, p.stdout.String(), p.stderr.String())
		return 0
	}
}

// errAddressTaken is when another process was faster to listen on a port.
var errAddressTaken = errors.New("address already in use")

// listens waits until the process serves, which ready tells.
func (p *process) listens(ctx context.Context, addr string, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute) // a machine may be busy
	defer cancel()
	p.url = "http://" + addr
	for !ready() {
		select {
		case <-p.done:
			if strings.Contains(p.stderr.String(), errAddressTaken.Error()) {
				return errAddressTaken
			}
			return fmt.Errorf("%s ended: %s\n%s%s", p.cmd.Path, p.cmd.ProcessState, p.stdout.String(), p.stderr.String())
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve\n%s%s", p.cmd.Path, p.stdout.String(), p.stderr.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// bannered tells that blobdock has printed the last line of its banner.
func (p *process) bannered() bool { return strings.Contains(p.stdout.String(), "docker push ") }

// logged tells that distribution's registry has logged that it listens.
func (p *process) logged() bool { return strings.Contains(p.stderr.String(), "listening on ") }

// serving starts "blobdock serve" on a free port. args gets the address.
func serving(t testing.TB, env []string, args func(addr string) []string) *process {
	t.Helper()
	return onFreePort(t, (*process).bannered, func(addr string) *process {
		return launch(t, env, append([]string{"serve"}, args(addr)...)...)
	})
}

// onFreePort starts a process that listens, again when another was faster to take the
// port.
func onFreePort(t testing.TB, ready func(*process) bool, start func(addr string) *process) *process {
	t.Helper()
	for {
		addr := freeAddr(t)
		p := start(addr)
		err := p.listens(t.Context(), addr, func() bool { return ready(p) })
		if err == nil {
			return p
		}
		if !errors.Is(err, errAddressTaken) || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// byFlags serves a store that the flags name.
func byFlags(storage string, more ...string) func(addr string) []string {
	return func(addr string) []string {
		return append([]string{"--storage", storage, "--listen", addr}, more...)
	}
}

// byFile serves a store that a configuration file names, with the secret that
// replicas share. It does not sweep, which it would at a random moment.
func byFile(t testing.TB, storage string) func(addr string) []string {
	t.Helper()
	return func(addr string) []string {
		path := filepath.Join(t.TempDir(), "config.yml")
		text := fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  blobdock: {url: %q}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: %q, secret: %q}
`, storage, addr, secret)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// interrupt is Ctrl-C.
func (p *process) interrupt(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// transcript is what a process prints, to be read while it does.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
