package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debian is a store of Debian's packages. They are unpacked into the cache, and
// not installed: nothing of this machine changes, and none of their services runs.
type debian struct {
	name     string
	packages []string
}

// build downloads the packages, installed or not, with those that they need and this
// machine lacks, and unpacks them. The program's path is the root that they are in.
func (d debian) build(ctx context.Context, _ platform) (program, error) {
	system, err := os.ReadFile("/etc/debian_version")
	if err != nil {
		return program{}, d.explain(err)
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%q %s", d.packages, system)
	key := fmt.Sprintf("%x", hash.Sum(nil)[:6])
	path, err := cached(ctx, d.name, key, "root", func(root string) error {
		if err := d.unpack(ctx, root); err != nil {
			return fmt.Errorf("%w%w", d.explain(err), ignoreAbsent(os.RemoveAll(root)))
		}
		return nil
	})
	if err != nil {
		return program{}, err
	}
	return program{path: path, key: key}, nil
}

func (d debian) explain(err error) error {
	return fmt.Errorf("packages %s: %w\nwant Debian 12, whose packages they are, and root: run \"apt-get update\" and try again", strings.Join(d.packages, " "), err)
}

func (d debian) unpack(ctx context.Context, root string) error {
	fmt.Fprintf(os.Stderr, "emulator: downloading %s; this takes a minute, once\n", strings.Join(d.packages, " "))
	debs := root + ".debs"
	defer os.RemoveAll(debs)
	for _, dir := range []string{root, filepath.Join(debs, "partial")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := run(ctx, "apt-get", append([]string{
		"install", "--reinstall", "--yes", "--download-only", "--no-install-recommends",
		"-o", "Dir::Cache::archives=" + debs, "-o", "APT::Sandbox::User=root",
	}, d.packages...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := run(ctx, "dpkg-deb", "-x", file, root); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, bytes.TrimSpace(b))
	}
	return nil
}

// environment is what programs below root need to find their libraries and modules.
func (debian) environment(root string) []string {
	var libraries []string
	for _, dir := range []string{"/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu/ceph"} {
		libraries = append(libraries, root+dir)
	}
	return []string{
		"LD_LIBRARY_PATH=" + strings.Join(libraries, ":"), "PYTHONPATH=" + root + "/usr/lib/python3/dist-packages",
		"PYTHONDONTWRITEBYTECODE=1",
	}
}
