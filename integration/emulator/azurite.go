package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// azuriteDockerfiles make an image of this machine's Node.js, and of one that an
// image registry has.
var (
	//go:embed azurite.Dockerfile
	azuriteDockerfile string
	//go:embed azurite.node.Dockerfile
	azuriteNodeDockerfile string
)

// azuriteVersion is what azurite/package.json pins; a test compares them.
const azuriteVersion = "3.37.0"

func azurite() service {
	dockerfile, files := azuriteDockerfile, azuriteRoot
	if runtime.GOOS != "linux" { // an engine runs nothing but linux
		dockerfile, files = azuriteNodeDockerfile, azuriteContext
	}
	return service{
		name:       "azurite",
		title:      "Azurite",
		version:    azuriteVersion,
		build:      buildAzurite,
		dockerfile: dockerfile,
		context:    files,
		port:       10000,
		args: func(addr, _ string) []string {
			host, port, _ := net.SplitHostPort(addr)
			if host == "" {
				host = "0.0.0.0" // in a container
			}
			return []string{
				"--blobHost", host, "--blobPort", port, "--silent", "--disableTelemetry",
				// In memory: on disk it is slower, and collects what was deleted.
				"--inMemoryPersistence",
				// The SDK speaks a newer version than it knows.
				"--skipApiVersionCheck",
			}
		},
		ready: func(ctx context.Context, endpoint string) error { return azuriteAzure(endpoint, "").ping(ctx) },
	}
}

// azuriteFiles are those that pin Azurite, and their key.
func azuriteFiles(ctx context.Context) (dir, key string, err error) {
	if dir, err = sourceDir(ctx, "azurite"); err != nil {
		return "", "", err
	}
	hash := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", "", fmt.Errorf("pinned versions of Azurite: %w", err)
		}
		hash.Write(b)
	}
	return dir, fmt.Sprintf("%x", hash.Sum(nil)[:6]), nil
}

// buildAzurite installs Azurite with npm, once, and makes a program of it: a
// script that starts it in Node.js.
func buildAzurite(ctx context.Context, _ platform) (program, error) {
	dir, key, err := azuriteFiles(ctx)
	if err != nil {
		return program{}, err
	}
	path, err := cached(ctx, "azurite", key, "azurite", func(out string) error {
		return installAzurite(ctx, dir, out)
	})
	return program{path: path, key: key}, err
}

func installAzurite(ctx context.Context, dir, out string) error {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: Azurite needs Node.js 20 or newer, with npm", err)
		}
	}
	tree := filepath.Join(filepath.Dir(out), "tree")
	if err := os.RemoveAll(tree); err != nil { // of an install that was cut short
		return err
	}
	if err := os.CopyFS(tree, os.DirFS(dir)); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "emulator: installing Azurite; this takes some seconds, once")
	// No package's script runs: what the tests need is there without.
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
	cmd.Dir = tree
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, bytes.TrimSpace(b))
	}
	main := filepath.Join(tree, "node_modules", "azurite", "dist", "src", "blob", "main.js")
	if _, err := os.Stat(main); err != nil {
		return err
	}
	// The process that starts is the one that gets the signals.
	script := fmt.Sprintf("#!/bin/sh\nexec node '%s' \"$@\"\n", main)
	return os.WriteFile(out, []byte(script), 0o755) //nolint:gosec // it is a program
}

// azuriteRoot is the image's root: this machine's Node.js, and the packages that the
// native way runs.
func azuriteRoot(ctx context.Context) (key string, fill func(dir string) error, err error) {
	bin, err := buildAzurite(ctx, platform{})
	if err != nil {
		return "", nil, err
	}
	n, err := findNode(ctx)
	if err != nil {
		return "", nil, err
	}
	return bin.key + "-" + n.key(), func(dir string) error {
		if err := n.install(filepath.Join(dir, "root")); err != nil {
			return err
		}
		return os.CopyFS(filepath.Join(dir, "root", "azurite"), os.DirFS(filepath.Join(filepath.Dir(bin.path), "tree")))
	}, nil
}

// azuriteContext is the files that pin Azurite, from which npm installs it in the
// image.
func azuriteContext(ctx context.Context) (key string, fill func(dir string) error, err error) {
	from, key, err := azuriteFiles(ctx)
	return key, func(dir string) error { return os.CopyFS(dir, os.DirFS(from)) }, err
}
