package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// process runs a service natively.
type process struct {
	svc     service
	program program
	addr    string
	dir     string // its home, and its data below

	cmd    *exec.Cmd     // nil before the first start
	out    *tail         // of the current run
	exited chan struct{} // closed when the current run is over
}

func newProcess(ctx context.Context, svc service, p *port) (machine, error) {
	sweepDirs(svc)
	bin, err := svc.build(ctx, platform{runtime.GOOS, runtime.GOARCH})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", dirPrefix(svc)+owner()+".")
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return &process{svc: svc, program: bin, addr: p.addr(), dir: dir}, nil
}

func (p *process) String() string { return "native process" }

func (p *process) start(context.Context) error {
	//nolint:noctx // it outlives the test whose context this would be
	cmd := exec.Command(p.program.path, p.svc.args(p.addr, filepath.Join(p.dir, "data"))...)
	// Nothing of the developer's: MinIO would take certificates from the home
	// folder and settings from the environment.
	cmd.Env = append([]string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH")}, p.svc.env...)
	cmd.SysProcAttr = dieWithParent()
	out := new(tail)
	cmd.Stdout, cmd.Stderr = out, out
	exited := make(chan struct{})
	started := make(chan error)
	go func() {
		// The death signal comes when the thread that started the child ends,
		// not the process: keep this thread for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its outcome is in cmd.ProcessState
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.svc.title, err)
	}
	p.cmd, p.out, p.exited = cmd, out, exited
	return nil
}

func (p *process) alive(context.Context) error {
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended by itself: %s", p.svc.title, p.cmd.ProcessState)
	default:
		return nil
	}
}

func (p *process) stop(context.Context) error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.svc.title, err)
	}
	<-p.exited
	return nil
}

func (p *process) remove(ctx context.Context) error {
	return errors.Join(p.stop(ctx), os.RemoveAll(p.dir))
}

func (p *process) log(context.Context) string {
	if p.out == nil {
		return ""
	}
	return p.out.String()
}
