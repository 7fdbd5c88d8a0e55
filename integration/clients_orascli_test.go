//go:build clients

package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// orasTree is what "oras discover" prints.
type orasTree struct {
	Digest       string
	ArtifactType string
	Referrers    []orasTree
}

// orasProgram pushes an artifact, attaches a note to it and a signature to the note, and
// discovers both, there and in another repository that all is copied to.
func orasProgram(t *testing.T, c emulator.Client, s site) {
	p := newTool(t, c, "oras")
	for name, body := range map[string]content{"data.bin": {7 * mib, 1}, "note.txt": {100, 2}, "sig.bin": {200, 3}} {
		if err := os.WriteFile(filepath.Join(p.home, name), body.bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second := s.host+"/orascli/first", s.host+"/orascli/second"
	p.do("push", "--plain-http", "--artifact-type", "application/vnd.example", first+":v1,latest", "data.bin:application/octet-stream")
	subject := p.do("resolve", "--plain-http", first+":v1")
	attach := func(kind, to, file string) string {
		t.Helper()
		out := p.do("attach", "--plain-http", "--artifact-type", kind, "--format", "json", to, file)
		return decoded[descriptor](t, out).Digest
	}
	note := attach("application/vnd.example.note", first+":v1", "note.txt")
	sig := attach("application/vnd.example.sig", first+"@"+note, "sig.bin")

	wantTree := func(image string) {
		t.Helper()
		got := decoded[orasTree](t, p.do("discover", "--plain-http", "--format", "json", image))
		if got.Digest != subject || len(got.Referrers) != 1 {
			t.Fatalf("discovered of %s: %+v, want %s with one referrer", image, got, subject)
		}
		got = got.Referrers[0]
		if got.Digest != note || got.ArtifactType != "application/vnd.example.note" || len(got.Referrers) != 1 {
			t.Fatalf("discovered of %s: %+v, want the note %s with one referrer", image, got, note)
		}
		if got = got.Referrers[0]; got.Digest != sig || got.ArtifactType != "application/vnd.example.sig" {
			t.Errorf("discovered of the note of %s: %+v, want the signature %s", image, got, sig)
		}
	}
	wantTree(first + ":v1")
	filtered := p.do("discover", "--plain-http", "--format", "json", "--artifact-type", "application/vnd.example.none", first+":v1")
	if got := decoded[orasTree](t, filtered); len(got.Referrers) != 0 {
		t.Errorf("discovered of a type that there is none of: %+v", got)
	}
	s.wantTags(t, "orascli/first", "latest", "v1")

	p.do("cp", "-r", "--from-plain-http", "--to-plain-http", first+":v1", second+":v1")
	wantTree(second + ":v1")
	s.wantTags(t, "orascli/second", "v1")
	p.do("pull", "--plain-http", "-o", "pulled", second+":v1")
	wantFile(t, filepath.Join(p.home, "pulled", "data.bin"), content{7 * mib, 1}.bytes(t))

	p.do("manifest", "delete", "--plain-http", "--force", first+"@"+subject)
	s.wantTags(t, "orascli/first")
	if got := s.referrers(t, "orascli/first", subject)["application/vnd.example.note"]; len(got) != 1 || got[0] != note {
		t.Errorf("referrers of a deleted subject: %v, want %s", got, note)
	}
	p.do("pull", "--plain-http", "-o", "kept", first+"@"+note)
	wantFile(t, filepath.Join(p.home, "kept", "note.txt"), content{100, 2}.bytes(t))
	// What nothing refers to any more is deleted like anything else, and is listed no more.
	p.do("manifest", "delete", "--plain-http", "--force", first+"@"+note)
	if got := s.referrers(t, "orascli/first", subject); len(got) != 0 {
		t.Errorf("referrers after the last is deleted: %v", got)
	}
}
