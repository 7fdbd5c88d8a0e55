package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// registry is one of the two that are compared, or what they are held against.
type registry string

const (
	stock    registry = "stock"
	blobdock registry = "blobdock"
	limit    registry = "limit"
)

// programs are the paths of what is built for the run.
type programs struct{ blobdock, stock, reference string }

// build builds all programs into dir, each in its own module: that settles the
// versions of everything it is made of.
func build(ctx context.Context, dir string) (programs, error) {
	root, err := moduleDir(ctx, "github.com/blobdock/blobdock")
	if err != nil {
		return programs{}, err
	}
	p := programs{filepath.Join(dir, "blobdock"), filepath.Join(dir, "stock"), filepath.Join(dir, "reference")}
	return p, errors.Join(
		goBuild(ctx, p.blobdock, root, "./cmd/blobdock"),
		goBuild(ctx, p.stock, filepath.Join(root, "bench", "stock"), "."),
		goBuild(ctx, p.reference, filepath.Join(root, "bench"), "./reference"),
	)
}

func goBuild(ctx context.Context, out, dir, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=auto", "-o", out, pkg)
	cmd.Dir = dir
	if printed, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", pkg, dir, err, printed)
	}
	return nil
}

func moduleDir(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		return "", fmt.Errorf("module %s: %w; run this in the folder bench", path, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// version is that of a module that a program is built of.
func version(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
}

// revision is the commit that a program is built from.
func revision(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	v, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	return v + changed
}
