package emulator

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// child is a program that runs until it is stopped or this process ends.
type child struct {
	cmd    *exec.Cmd
	out    *tail
	exited chan struct{} // closed when it is over
}

func spawn(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, out: new(tail), exited: make(chan struct{})}
	cmd.SysProcAttr = dieWithParent()
	cmd.Stdout, cmd.Stderr = c.out, c.out
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
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name(), err)
	}
	return c, nil
}

func (c *child) name() string { return filepath.Base(c.cmd.Path) }

func (c *child) alive() error {
	select {
	case <-c.exited:
		return fmt.Errorf("%s ended by itself: %s", c.name(), c.cmd.ProcessState)
	default:
		return nil
	}
}

func (c *child) stop() error {
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", c.name(), err)
	}
	<-c.exited
	return nil
}

// environment is that of a child whose home is dir. It has nothing of the
// developer's: MinIO would take certificates from the home folder and settings
// from the environment.
func environment(dir string, more ...string) []string {
	return append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}, more...)
}
