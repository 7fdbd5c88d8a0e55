package emulator

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// clients are programs that work with registries, each unmodified, as its makers or Debian
// release it. They are for [NewClient] alone: some take minutes to build.
var clients = []source{
	fromModule("regctl", "github.com/regclient/regclient", "v0.11.7", "./cmd/regctl"),
	fromModule("oras", "oras.land/oras", "v1.3.6", "./cmd/oras"),
	fromModule("cosign", "github.com/sigstore/cosign/v3", "v3.1.3", "./cmd/cosign"),
	fromModule("helm", "helm.sh/helm/v4", "v4.3.1", "./cmd/helm"),
	fromModule("buildkit", "github.com/moby/buildkit", "v0.34.2", "./cmd/buildctl", "./cmd/buildkitd"),
	// Its runc is buildkit's, too.
	fromDebian("podman", "4.3.1", "podman=4.3.1*", "runc=1.1.5*"),
}

// source is where a client's programs come from.
type source struct {
	name, version string
	build         func(ctx context.Context, p platform) (program, error)
	client        func(path string) Client // of what build returns
}

func fromModule(name, module, version string, packages ...string) source {
	r := release{name, module, version, packages}
	return source{name, version, r.build, func(bin string) Client { return Client{dirs: []string{bin}} }}
}

func fromDebian(name, version string, packages ...string) source {
	d := debian{name: name, packages: packages}
	return source{name, version, d.build, func(root string) Client {
		return Client{
			dirs: []string{filepath.Join(root, "usr/bin"), filepath.Join(root, "usr/sbin")},
			env:  d.environment(root),
		}
	}}
}

// Client is the programs of a client of registries.
type Client struct {
	dirs []string // that they are in
	env  []string
}

// Clients names what [NewClient] returns, each with its version.
func Clients() map[string]string {
	versions := make(map[string]string, len(clients))
	for _, c := range clients {
		versions[c.name] = c.version
	}
	return versions
}

// NewClient returns the named client, which it builds if nothing has before. It fails the
// test when the client can't be had.
func NewClient(tb testing.TB, name string) Client {
	tb.Helper()
	i := slices.IndexFunc(clients, func(s source) bool { return s.name == name })
	if i < 0 {
		tb.Fatalf("client %q: want one of %v", name, Clients())
	}
	bin, err := clients[i].build(tb.Context(), platform{runtime.GOOS, runtime.GOARCH})
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return clients[i].client(bin.path)
}

// Path is that of one of the client's programs.
func (c Client) Path(tb testing.TB, program string) string {
	tb.Helper()
	for _, dir := range c.dirs {
		if path := filepath.Join(dir, program); exists(path) {
			return path
		}
	}
	tb.Fatalf("%s is in none of %s", program, strings.Join(c.dirs, ", "))
	return ""
}

// Command runs one of the client's programs in a folder, which is its home, too. Of the
// environment it gets what is named here alone, and all but this machine is behind a proxy
// that does not answer.
func (c Client) Command(tb testing.TB, dir string, env []string, name string, args ...string) *exec.Cmd {
	tb.Helper()
	//nolint:noctx // some run until the test's Cleanup ends them
	cmd := exec.Command(c.Path(tb, name), args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat([]string{
		"PATH=" + strings.Join(append(slices.Clone(c.dirs), "/usr/sbin", "/usr/bin", "/sbin", "/bin"), ":"),
		"HOME=" + dir, "TMPDIR=" + dir, "HTTP_PROXY=" + closedProxy, "HTTPS_PROXY=" + closedProxy,
	}, c.env, env)
	return cmd
}

// closedProxy is a port that nobody listens on.
const closedProxy = "http://127.0.0.1:9"

// ProvisionClients makes ready all that [NewClient] returns, and reports it line by line to w.
func ProvisionClients(ctx context.Context, w io.Writer) error {
	for _, c := range clients {
		began := time.Now()
		bin, err := c.build(ctx, platform{runtime.GOOS, runtime.GOARCH})
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(w, "%s %s: %s (%s)\n", c.name, c.version, bin.path, time.Since(began).Round(10*time.Millisecond))
	}
	return nil
}
