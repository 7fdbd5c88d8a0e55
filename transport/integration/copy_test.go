package integration_test

import (
	"path/filepath"
	"testing"

	"github.com/blobdock/blobdock/transport/internal/sample"
)

// TestMirror fills a bucket from a registry, without a registry of its own, and then serves it:
// by blobdock, and by distribution with its own driver. What they serve has the same digests.
func TestMirror(t *testing.T) {
	onEach(t, func(t *testing.T, b bucket) {
		l := sample.New(t)
		layer := sample.Layer(1, 9<<20) // of several parts
		amd := l.Image("v1", "amd64", layer, sample.Layer(2, 1000))
		arm := l.Image("", "arm64", layer)
		list := l.List("all", amd, arm)
		upstream := registry(t, serveProgram, nil, map[string]any{"blobdock": map[string]any{"url": "mem://upstream"}})
		want := map[string]string{"v1": amd.Digest.String(), "all": list.Digest.String()}
		for tag := range want {
			copied(t, "oci:"+l.Dir+":"+tag, "docker://"+upstream+"/team/app:"+tag)
			copied(t, "docker://"+upstream+"/team/app:"+tag, "bucket:"+b.url+"#team/app:"+tag)
		}
		if got := image(t, "list", "bucket:"+b.url); got != "team/app:all\nteam/app:v1\n" {
			t.Errorf("the bucket has\n%s", got)
		}
		for name, host := range map[string]string{
			"blobdock serve": registry(t, serveProgram, nil, map[string]any{"blobdock": map[string]any{"url": b.url}}),
			"distribution":   registry(t, stockProgram, b.stockEnv, b.stock),
		} {
			for tag, d := range want {
				digestFile := filepath.Join(t.TempDir(), "digest")
				image(t, append(copyFlags, "--digestfile", digestFile, "docker://"+host+"/team/app:"+tag, "oci:"+t.TempDir()+":"+tag)...)
				if got := read(t, digestFile); got != d {
					t.Errorf("%s serves %s as %s, want %s", name, tag, got, d)
				}
			}
		}
		// And what a registry has put there is copied out, and deleted.
		host := registry(t, serveProgram, nil, map[string]any{"blobdock": map[string]any{"url": b.url}})
		copied(t, "oci:"+l.Dir+":v1", "docker://"+host+"/pushed:v1")
		copied(t, "bucket:"+b.url+"#pushed:v1", "oci-archive:"+filepath.Join(t.TempDir(), "pushed.tar")+":v1")
		image(t, "delete", "bucket:"+b.url+"#pushed@"+amd.Digest.String())
		if got := image(t, "list", "bucket:"+b.url+"#pushed"); got != "pushed\n" {
			t.Errorf("deleted, and listed as\n%s", got)
		}
	})
}
