//go:build clients

package integration_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// TestSimpleSigning signs by skopeo and by podman, with OpenPGP, through the extension for
// signatures. Both copy by a policy that demands the signature, and copy nothing that has none, or
// one of another key. It needs gpg and skopeo of the machine, which Debian has in packages of these
// names.
func TestSimpleSigning(t *testing.T) {
	client := emulator.NewClient(t, "podman")
	mine, other := newKey(t), newKey(t)
	onEachSite(t, "&signatures=true", func(t *testing.T, s site) {
		skopeo := func(k gpgKey, args ...string) (string, error) {
			cmd := exec.CommandContext(t.Context(), "skopeo", args...)
			cmd.Env = append(os.Environ(), "GNUPGHOME="+k.home)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		image := func(name string) string { return s.host + "/signing/" + name + ":v1" }
		writeImage(t, s.url, "signing/plain:v1", randomImage(t, 100*kib, 2))
		sign := func(k gpgKey, name string) {
			t.Helper()
			out, err := skopeo(k, "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--sign-by", keyName, "docker://"+image("plain"), "docker://"+image(name))
			if err != nil {
				t.Fatalf("skopeo copy --sign-by: %v\n%s", err, out)
			}
		}
		sign(mine, "skopeo")
		sign(other, "other")

		p := newPodman(t, client, s.host)
		unsigned := p.run
		p.run = func(args ...string) *exec.Cmd {
			cmd := unsigned(args...)
			cmd.Env = append(cmd.Env, "GNUPGHOME="+mine.home)
			return cmd
		}
		p.do("pull", image("plain"))
		p.do("push", "--sign-by", keyName, image("plain"), image("podman"))

		policy := filepath.Join(t.TempDir(), "policy.json")
		text := fmt.Sprintf(`{"default": [{"type": "reject"}], "transports": {"docker": {%q: [
			{"type": "signedBy", "keyType": "GPGKeys", "keyPath": %q, "signedIdentity": {"type": "matchRepository"}}]}}}`, s.host, mine.public)
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, why := range map[string]string{"skopeo": "", "podman": "", "plain": "A signature was required, but no signature exists", "other": "Source image rejected"} {
			out, err := skopeo(mine, "--policy", policy, "copy", "-q", "--src-tls-verify=false", "docker://"+image(name), "dir:"+filepath.Join(t.TempDir(), name))
			wantSigningResult(t, "skopeo copy of "+name, out, err, why)
			_, _, _ = p.try("", "rmi", image(name))
			_, out, err = p.try("", "pull", "--signature-policy", policy, image(name))
			wantSigningResult(t, "podman pull of "+name, out, err, why)
		}
	})
}

func wantSigningResult(t *testing.T, what, out string, err error, why string) {
	t.Helper()
	if why == "" && err != nil {
		t.Errorf("%s: %v\n%s", what, err, out)
	}
	if why != "" && (err == nil || !strings.Contains(out, why)) {
		t.Errorf("%s: %v, want %q\n%s", what, err, why, out)
	}
}

const keyName = "signer@example.com"

// gpgKey is a key of OpenPGP.
type gpgKey struct{ home, public string }

func newKey(t *testing.T) gpgKey {
	t.Helper()
	home, err := os.MkdirTemp("", "gpg") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	gpg := func(program string, args ...string) string {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
		cmd.Env = append(os.Environ(), "GNUPGHOME="+home)
		var diag strings.Builder
		cmd.Stderr = &diag
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s (Debian's package gnupg): %v\n%s", program, err, diag.String())
		}
		return string(out)
	}
	t.Cleanup(func() {
		gpg("gpgconf", "--kill", "all")
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	gpg("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", keyName, "ed25519", "sign", "never")
	k := gpgKey{home, filepath.Join(home, "public.asc")}
	if err := os.WriteFile(k.public, []byte(gpg("gpg", "--armor", "--export", keyName)), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}
