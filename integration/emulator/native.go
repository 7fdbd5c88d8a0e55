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
	child   *child // nil before the first start
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
	if svc.assemble != nil {
		return &ensemble{svc: svc, program: bin, addr: p.addr(), dir: dir}, nil
	}
	return &process{svc: svc, program: bin, addr: p.addr(), dir: dir}, nil
}

func (p *process) String() string { return "native process" }

func (p *process) start(context.Context) error {
	data := filepath.Join(p.dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	//nolint:noctx // it outlives the test whose context this would be
	cmd := exec.Command(p.program.path, p.svc.args(p.addr, data)...)
	cmd.Env = environment(p.dir, p.svc.env...)
	c, err := spawn(cmd)
	if err != nil {
		return err
	}
	p.child = c
	return nil
}

func (p *process) alive(context.Context) error { return p.child.alive() }

func (p *process) stop(context.Context) error {
	if p.child == nil {
		return nil
	}
	return p.child.stop()
}

func (p *process) remove(ctx context.Context) error {
	return errors.Join(p.stop(ctx), os.RemoveAll(p.dir))
}

func (p *process) log(context.Context) string {
	if p.child == nil {
		return ""
	}
	return p.child.out.String()
}
