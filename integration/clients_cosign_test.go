//go:build clients

package integration_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

const (
	// bundle is the type of what cosign attaches, and signed that of its first format's
	// signatures.
	bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
	signed = "application/vnd.dev.cosign.artifact.sig.v1+json"

	predicateType = "https://example.com/predicate/v1"
)

// cosign signs an image and attests something of it, by bundles and in the first format, as
// referrers. Both are verified, also once the image is in another repository, and
// neither is by another key or for an image that nobody has signed. Sigstore's services are
// not asked.
func cosign(t *testing.T, c emulator.Client, s site) {
	p := newTool(t, c, "cosign", "COSIGN_PASSWORD=", "COSIGN_EXPERIMENTAL=1", "SIGSTORE_NO_CACHE=true")
	for _, name := range []string{"own", "other"} {
		p.do("generate-key-pair", "--output-key-prefix", name)
	}
	p.do("signing-config", "create", "--out", "signing.json")
	p.do("trusted-root", "create", "--out", "root.json")
	const statement = `{"built":"here"}`
	if err := os.WriteFile(filepath.Join(p.home, "predicate.json"), []byte(statement), 0o600); err != nil {
		t.Fatal(err)
	}
	img, bare := randomImage(t, 300*kib, 2), randomImage(t, kib, 1)
	writeImage(t, s.url, "cosign/image:v1", img)
	writeImage(t, s.url, "cosign/image:bare", bare)
	subject := hashOf(t, img).String()
	repo := s.host + "/cosign/image"
	image, unsigned := repo+"@"+subject, repo+"@"+hashOf(t, bare).String()

	offline := []string{"--key", "own.key", "--signing-config", "signing.json", "--trusted-root", "root.json", "--allow-http-registry", "-y"}
	first := []string{"--new-bundle-format=false", "--allow-http-registry"}
	p.do(append(append([]string{"sign"}, offline...), image)...)
	p.do(append(append([]string{"attest", "--predicate", "predicate.json", "--type", predicateType}, offline...), image)...)
	p.do(append(append([]string{"sign", "--key", "own.key", "--registry-referrers-mode=oci-1-1", "--use-signing-config=false", "--tlog-upload=false", "-y"}, first...), image)...)

	verify := func(command, key, image string, more ...string) []string {
		return append(append([]string{command, "--key", key, "--insecure-ignore-tlog", "--allow-http-registry"}, more...), image)
	}
	wantSigned := func(image string, more ...string) {
		t.Helper()
		out := p.do(verify("verify", "own.pub", image, more...)...)
		if !strings.Contains(out, `"docker-manifest-digest":"`+subject+`"`) {
			t.Errorf("verify %s: %s", image, out)
		}
	}
	wantAttested := func(image string) {
		t.Helper()
		out := p.do(verify("verify-attestation", "own.pub", image, "--type", predicateType)...)
		payload, err := base64.StdEncoding.DecodeString(decoded[struct{ Payload string }](t, out).Payload)
		if err != nil || !strings.Contains(strings.ReplaceAll(string(payload), " ", ""), `"predicate":`+statement) {
			t.Errorf("attested of %s: %s (%v)", image, payload, err)
		}
	}
	wantSigned(image)
	wantSigned(image, "--new-bundle-format=false", "--experimental-oci11")
	wantAttested(image)
	for _, tt := range [][2]string{{"other.pub", image}, {"own.pub", unsigned}} {
		p.fails(verify("verify", tt[0], tt[1])...)
		p.fails(verify("verify-attestation", tt[0], tt[1], "--type", predicateType)...)
	}
	p.fails(verify("verify-attestation", "own.pub", image, "--type", "https://example.com/predicate/v2")...)

	found := s.referrers(t, "cosign/image", subject)
	if len(found[bundle]) != 2 || len(found[signed]) != 1 || len(found) != 2 {
		t.Errorf("referrers: %v, want two bundles and a signature", found)
	}
	s.wantTags(t, "cosign/image", "bare", "v1")

	// What cosign recommends for copies.
	newTool(t, emulator.NewClient(t, "oras"), "oras").do("cp", "-r", "--from-plain-http", "--to-plain-http", repo+":v1", s.host+"/cosign/copied:v1")
	s.wantTags(t, "cosign/copied", "v1")
	copied := s.host + "/cosign/copied@" + subject
	wantSigned(copied)
	wantAttested(copied)

	s.delete(t, "cosign/image", subject)
	if got := s.referrers(t, "cosign/image", subject); len(got[bundle]) != 2 || len(got[signed]) != 1 {
		t.Errorf("referrers of a deleted subject: %v, want %v", got, found)
	}
	wantSigned(image) // by its digest, which is what is signed
}
