package emulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ensemble runs a service that takes several processes, or several ports.
type ensemble struct {
	svc     service
	program program // or the folder that holds the programs
	addr    string  // of the one that clients talk to
	dir     string  // the home of all, and their data below

	env      []string
	ports    []*port
	children []*child
}

func (e *ensemble) String() string { return "native processes" }

// start is called once: no test stops an ensemble for a while.
func (e *ensemble) start(ctx context.Context) error { return e.svc.assemble(ctx, e) }

// port reserves another port for the life of the ensemble.
func (e *ensemble) port() (*port, error) {
	p, err := reserve()
	if err == nil {
		e.ports = append(e.ports, p)
	}
	return p, err
}

// portNumbers reserves n ports.
func (e *ensemble) portNumbers(n int) ([]int, error) {
	numbers := make([]int, n)
	for i := range numbers {
		p, err := e.port()
		if err != nil {
			return nil, err
		}
		numbers[i] = p.number
	}
	return numbers, nil
}

// path is one below the ensemble's folder.
func (e *ensemble) path(name string) string { return filepath.Join(e.dir, name) }

func (e *ensemble) write(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(e.path(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(e.path(name), []byte(text), 0o600)
}

// run runs a command to its end.
func (e *ensemble) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = e.dir, environment(e.dir, e.env...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", filepath.Base(name), args, err, bytes.TrimSpace(b))
	}
	return nil
}

// daemon starts a program that runs until the ensemble is stopped.
func (e *ensemble) daemon(name string, args ...string) error {
	//nolint:noctx // it outlives the test whose context this would be
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = e.dir, environment(e.dir, e.env...)
	c, err := spawn(cmd)
	if err != nil {
		return err
	}
	e.children = append(e.children, c)
	return nil
}

func (e *ensemble) alive(context.Context) error {
	for _, c := range e.children {
		if err := c.alive(); err != nil {
			return err
		}
	}
	return nil
}

func (e *ensemble) stop(context.Context) error {
	var errs []error
	for _, c := range slices.Backward(e.children) {
		errs = append(errs, c.stop())
	}
	return errors.Join(errs...)
}

func (e *ensemble) remove(ctx context.Context) error {
	err := errors.Join(e.stop(ctx), os.RemoveAll(e.dir))
	for _, p := range e.ports {
		err = errors.Join(err, p.release())
	}
	return err
}

func (e *ensemble) log(context.Context) string {
	var all bytes.Buffer
	for _, c := range e.children {
		if text := c.out.String(); text != "" {
			fmt.Fprintf(&all, "%s: %s\n", c.name(), text)
		}
	}
	return all.String()
}

// configure writes the files of an embedded folder to etc, with their values.
func (e *ensemble) configure(files fs.ReadDirFS, dir string, values *strings.Replacer) error {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		text, err := fs.ReadFile(files, dir+"/"+entry.Name())
		if err != nil {
			return err
		}
		if err := e.write("etc/"+entry.Name(), values.Replace(string(text))); err != nil {
			return err
		}
	}
	return nil
}
