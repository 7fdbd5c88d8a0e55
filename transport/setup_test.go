package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	imagecopy "go.podman.io/image/v5/copy"
	_ "go.podman.io/image/v5/directory"
	_ "go.podman.io/image/v5/oci/layout"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/transports"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	_ "github.com/blobdock/blobdock/driver/file"
	_ "github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/transport"
)

// watched:// is mem:// with the calls of a test around it.
func init() {
	driver.Register("watched", func(ctx context.Context, u *url.URL, p *driver.Params) (func() (driver.Bucket, error), error) {
		if err := p.Err(); err != nil {
			return nil, err
		}
		return func() (driver.Bucket, error) {
			b, err := driver.Open(ctx, "mem://"+u.Host)
			if err != nil {
				return nil, err
			}
			around, _ := watches.Load(u.Host)
			w := around.(watch)
			return driver.Wrap(fault.Wrap(b, w.script), w.around), nil
		}, nil
	})
}

var watches sync.Map

type watch struct {
	script fault.Script
	around driver.Interceptor
}

// memory is the URL of an empty bucket.
func memory(t testing.TB) string { return "mem://" + hostName(t) }

func hostName(t testing.TB) string {
	return strings.ToLower(strings.NewReplacer("/", "-", "_", "-", "#", "-", ",", "").Replace(t.Name()))
}

// watching is the URL of an empty bucket, whose calls fail by a script and are seen.
func watching(t testing.TB, script fault.Script, around driver.Interceptor) string {
	t.Helper()
	if around == nil {
		around = func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error { return next(ctx) }
	}
	watches.Store(hostName(t), watch{script, around})
	return "watched://" + hostName(t)
}

func parse(t testing.TB, image string) types.ImageReference {
	t.Helper()
	name, within, _ := strings.Cut(image, ":")
	ref, err := transports.Get(name).ParseReference(within)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func destination(t testing.TB, image string) *transport.Destination {
	t.Helper()
	d, err := parse(t, image).NewImageDestination(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d.(*transport.Destination)
}

func source(t testing.TB, image string) *transport.Source {
	t.Helper()
	s, err := parse(t, image).NewImageSource(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*transport.Source)
}

// copyImage copies all instances of an image.
func copyImage(ctx context.Context, t testing.TB, dst, src string) error {
	t.Helper()
	policy, err := signature.NewPolicyContext(&signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}})
	if err != nil {
		t.Fatal(err)
	}
	defer policy.Destroy()
	sys := &types.SystemContext{BlobInfoCacheDir: t.TempDir()}
	_, err = imagecopy.Image(ctx, policy, parse(t, dst), parse(t, src), &imagecopy.Options{
		SourceCtx: sys, DestinationCtx: sys, ImageListSelection: imagecopy.CopyAllImages, PreserveDigests: true,
	})
	return err
}

// keys lists what is in a bucket.
func keys(t testing.TB, storage string) []string {
	t.Helper()
	var all []string
	for e, err := range driver.List(t.Context(), bucketAt(t, storage), driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key)
	}
	return all
}

func bucketAt(t testing.TB, storage string) driver.Bucket {
	t.Helper()
	b, err := driver.Open(t.Context(), strings.Replace(storage, "watched:", "mem:", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// put puts p as a blob.
func put(t testing.TB, d *transport.Destination, p []byte) types.BlobInfo {
	t.Helper()
	info, err := d.PutBlob(t.Context(), bytes.NewReader(p), infoOf(p), none.NoCache, false)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func infoOf(p []byte) types.BlobInfo {
	return types.BlobInfo{Digest: digest.FromBytes(p), Size: int64(len(p))}
}

// putImage puts an image of a config and layers under the reference of d.
func putImage(t testing.TB, d *transport.Destination, layers ...[]byte) digest.Digest {
	t.Helper()
	config := []byte(`{}`)
	put(t, d, config)
	var descs []string
	for _, layer := range layers {
		put(t, d, layer)
		descs = append(descs, fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}`, digest.FromBytes(layer), len(layer)))
	}
	m := manifestOf(digest.FromBytes(config), len(config), descs...)
	if err := d.PutManifest(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return digest.FromBytes(m)
}

func manifestOf(config digest.Digest, size int, layers ...string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[%s]}`,
		config, size, strings.Join(layers, ","))
}

func readBlob(t testing.TB, s *transport.Source, d digest.Digest) []byte {
	t.Helper()
	r, _, err := s.GetBlob(t.Context(), types.BlobInfo{Digest: d, Size: -1}, none.NoCache)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
