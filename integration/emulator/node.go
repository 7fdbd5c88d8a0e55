package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// node is this machine's Node.js, as it goes into an image.
type node struct {
	path    string // the program; what PATH has may be a script that starts it
	version string
	libs    []string // that it loads
	loader  string   // that loads them; "" for a static program
}

func findNode(ctx context.Context) (node, error) {
	out, err := exec.CommandContext(ctx, "node", "-p", "process.execPath + ' ' + process.version + ' ' + process.arch").Output()
	if err != nil {
		return node{}, fmt.Errorf("node: %w", err)
	}
	path, version, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	n := node{path: path, version: version}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "ldd", path)
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	switch {
	case err == nil:
		n.libs, n.loader = parseLDD(string(out))
	case !bytes.Contains(stderr.Bytes(), []byte("not a dynamic executable")):
		return node{}, fmt.Errorf("libraries of %s: %w: %s", path, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return n, nil
}

// parseLDD reads what ldd prints: "name => path (address)" for a library, and for
// the loader its path alone. What the kernel provides has no path.
func parseLDD(out string) (libs []string, loader string) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[1] == "=>" && filepath.IsAbs(f[2]):
			libs = append(libs, f[2])
		case len(f) >= 1 && filepath.IsAbs(f[0]):
			loader = f[0]
		}
	}
	return libs, loader
}

// key changes when what is installed does.
func (n node) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %q %s", n.path, n.version, n.libs, n.loader))
	return fmt.Sprintf("%x", sum[:4])
}

// install puts the program into a root folder as /bin/node, its libraries into
// /lib/node, and the loader where the program looks for it.
func (n node) install(root string) error {
	files := map[string]string{filepath.Join(root, "bin", "node"): n.path}
	for _, lib := range n.libs {
		files[filepath.Join(root, "lib", "node", filepath.Base(lib))] = lib
	}
	if n.loader != "" {
		files[filepath.Join(root, n.loader)] = n.loader
	}
	var errs []error
	for to, from := range files {
		err := os.MkdirAll(filepath.Dir(to), 0o755)
		if err == nil {
			err = copyFile(to, from)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
