//go:build clients

package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// trustPolicy trusts the certificate of the name that notation makes itself.
const trustPolicy = `{
  "version": "1.0",
  "trustPolicies": [{
    "name": "all",
    "registryScopes": ["*"],
    "signatureVerification": {"level": "strict"},
    "trustStores": ["ca:blobdock.example"],
    "trustedIdentities": ["*"]
  }]
}`

// TestNotation signs an image, lists the signature and verifies it. The program is not built
// here: the Go module proxy does not have its module.
func TestNotation(t *testing.T) {
	program, err := exec.LookPath("notation")
	if err != nil {
		t.Fatal(err)
	}
	onEachSite(t, "", func(t *testing.T, s site) {
		home := t.TempDir()
		p := tool{t, home, func(args ...string) *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home}
			return cmd
		}}
		if err := os.WriteFile(filepath.Join(home, "policy.json"), []byte(trustPolicy), 0o600); err != nil {
			t.Fatal(err)
		}
		p.do("cert", "generate-test", "--default", "blobdock.example")
		p.do("policy", "import", "policy.json")

		img, bare := randomImage(t, 300*kib, 2), randomImage(t, kib, 1)
		writeImage(t, s.url, "notation/image:v1", img)
		writeImage(t, s.url, "notation/image:bare", bare)
		subject, repo := hashOf(t, img).String(), s.host+"/notation/image"
		p.do("sign", "--insecure-registry", repo+"@"+subject)
		p.do("verify", "--insecure-registry", repo+"@"+subject)
		p.fails("verify", "--insecure-registry", repo+"@"+hashOf(t, bare).String())

		found := s.referrers(t, "notation/image", subject)["application/vnd.cncf.notary.signature"]
		if len(found) != 1 {
			t.Fatalf("signatures: %v, want one", found)
		}
		if listed := p.do("list", "--insecure-registry", repo+"@"+subject); !strings.Contains(listed, found[0]) {
			t.Errorf("listed: %s, want %s", listed, found[0])
		}
		s.wantTags(t, "notation/image", "bare", "v1")
	})
}
