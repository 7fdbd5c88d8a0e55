package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// process is a registry that runs.
type process struct {
	base string // http://127.0.0.1:port
	cmd  *exec.Cmd
	out  bytes.Buffer  // what it prints, to be read when done is closed
	done chan struct{} // closed when it has ended
	dir  string
}

// environment is all that a child gets beside its own. Nothing of it is to reach
// beyond this machine: a library that looks for credentials or sends bytes
// elsewhere finds a closed port. Proxies don't count for loopback addresses.
func environment(dir string) []string {
	const closed = "127.0.0.1:9"
	return []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		"HTTP_PROXY=http://" + closed, "HTTPS_PROXY=http://" + closed,
		"AWS_EC2_METADATA_DISABLED=true", "GCE_METADATA_HOST=" + closed,
		"OTEL_TRACES_EXPORTER=none",
	}
}

const startTimeout = 30 * time.Second

// serve starts a registry on a store's bucket and returns when it serves.
func (p programs) serve(ctx context.Context, r registry, storage map[string]any, env []string) (*process, error) {
	program := p.blobdock
	if r == stock {
		program = p.stock
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "blobdock.bench.")
	if err != nil {
		return nil, err
	}
	config, err := configure(dir, addr, storage)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	//nolint:noctx // it ends by stop
	s := &process{base: "http://" + addr, cmd: exec.Command(program, "serve", config), done: make(chan struct{}), dir: dir}
	s.cmd.Dir, s.cmd.Env, s.cmd.SysProcAttr = dir, append(environment(dir), env...), dieWithParent()
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.await(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", r, s.explain(err))
	}
	return s, nil
}

func (p *process) start() error {
	started := make(chan error)
	go func() {
		// The death signal comes when the thread that started the child ends: it
		// is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // it is killed
			close(p.done)
		}
	}()
	return <-started
}

func (p *process) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/v2/", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(res.Status)
		}
		select {
		case <-p.done:
			return errors.New("ended at once")
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// explain ends it, and adds what it has printed to what went wrong.
func (p *process) explain(err error) error {
	p.stop()
	if out := tail(p.out.String()); out != "" {
		return fmt.Errorf("%w; it printed: %s", err, out)
	}
	return err
}

// stop ends it at once. It may be called again.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.done
	_ = os.RemoveAll(p.dir)
}

func freeAddr(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tail is the end of a long text, on one line.
func tail(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 1000
	if len(s) > most {
		s = "..." + s[len(s)-most:]
	}
	return s
}

// brief is the beginning of a long text, on one line.
func brief(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 320
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}
