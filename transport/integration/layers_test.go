package integration_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	imagecopy "go.podman.io/image/v5/copy"
	_ "go.podman.io/image/v5/docker"
	_ "go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"

	_ "github.com/blobdock/blobdock/transport"
	"github.com/blobdock/blobdock/transport/internal/sample"
)

// TestSharedLayers copies 20 images of 10 layers that they share, each into a repository of its
// own: the layers' bytes are sent once.
func TestSharedLayers(t *testing.T) {
	onEach(t, func(t *testing.T, b bucket) {
		const images, layers, size = 20, 10, 256 << 10
		l := sample.New(t)
		var shared [][]byte
		for i := range layers {
			shared = append(shared, sample.Layer(uint64(i), size))
		}
		for i := range images {
			l.Image(fmt.Sprintf("v%d", i), "amd64", shared...)
		}
		b.proxy.Reset()
		for i := range images {
			copyImage(t, fmt.Sprintf("oci:%s:v%d", l.Dir, i), fmt.Sprintf("bucket:%s#team/app%d:v1", b.url, i))
		}
		counts := b.proxy.Counts()
		once := int64(layers * len(shared[0]))
		// Beside them there are configurations, manifests and links.
		if most := once + images*(layers*1000+10_000); counts.Sent > most || counts.Sent < once || counts.Copied != 0 {
			t.Errorf("%d bytes sent and %d copied, of layers with %d; want %d at most", counts.Sent, counts.Copied, once, most)
		}
		t.Logf("%s; %d bytes sent, layers have %d", counts, counts.Sent, once)
	})
}

// copyImage copies an image with all instances, as skopeo does.
func copyImage(t *testing.T, src, dst string) {
	t.Helper()
	policy, err := signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = policy.Destroy() }()
	sys := &types.SystemContext{BlobInfoCacheDir: t.TempDir(), DockerInsecureSkipTLSVerify: types.OptionalBoolTrue}
	_, err = imagecopy.Image(t.Context(), policy, parse(t, dst), parse(t, src), &imagecopy.Options{
		SourceCtx: sys, DestinationCtx: sys, ImageListSelection: imagecopy.CopyAllImages, PreserveDigests: true,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func parse(t *testing.T, image string) types.ImageReference {
	t.Helper()
	name, within, _ := strings.Cut(image, ":")
	ref, err := transports.Get(name).ParseReference(within)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func read(t *testing.T, path string) string {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}
