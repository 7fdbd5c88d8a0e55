package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/transport/internal/sample"
)

var errStream = errors.New("the stream is broken")

// TestPutBlob puts blobs whose stream, digest or size is wrong: an error, and nothing is left.
func TestPutBlob(t *testing.T) {
	for _, size := range []int{0, 1000, 20 << 20} {
		p := sample.Bytes(1, size)
		other := digest.FromString("other")
		at := func(err error, n int) io.Reader { return io.MultiReader(bytes.NewReader(p[:n]), iotest.ErrReader(err)) }
		for name, tt := range map[string]struct {
			stream io.Reader
			info   types.BlobInfo
			want   error // nil where the blob is there then
		}{
			"good":                            {bytes.NewReader(p), infoOf(p), nil},
			"of unknown size":                 {bytes.NewReader(p), types.BlobInfo{Digest: digest.FromBytes(p), Size: -1}, nil},
			"of unknown digest":               {bytes.NewReader(p), types.BlobInfo{Size: int64(size)}, nil},
			"unknown":                         {bytes.NewReader(p), types.BlobInfo{Size: -1}, nil},
			"sha512":                          {bytes.NewReader(p), types.BlobInfo{Digest: digest.SHA512.FromBytes(p), Size: int64(size)}, nil},
			"another digest":                  {bytes.NewReader(p), types.BlobInfo{Digest: other, Size: int64(size)}, distribution.ErrBlobInvalidDigest{}},
			"another digest, of unknown size": {bytes.NewReader(p), types.BlobInfo{Digest: other, Size: -1}, distribution.ErrBlobInvalidDigest{}},
			"early":                           {bytes.NewReader(p), types.BlobInfo{Digest: digest.FromBytes(p), Size: int64(size) + 1}, blobstore.ErrBodyLength},
			"early, of unknown digest":        {bytes.NewReader(p), types.BlobInfo{Size: int64(size) + 1}, blobstore.ErrBodyLength},
			"late":                            {io.MultiReader(bytes.NewReader(p), strings.NewReader("x")), infoOf(p), blobstore.ErrBodyLength},
			"late, of unknown digest":         {io.MultiReader(bytes.NewReader(p), strings.NewReader("x")), types.BlobInfo{Size: int64(size)}, blobstore.ErrBodyLength},
			"broken":                          {at(errStream, size/2), infoOf(p), errStream},
			"broken, unknown":                 {at(errStream, size/2), types.BlobInfo{Size: -1}, errStream},
			"broken at its end":               {at(errStream, size), infoOf(p), errStream},
			"broken at its end, unknown":      {at(errStream, size), types.BlobInfo{Size: -1}, errStream},
			"no digest":                       {bytes.NewReader(p), types.BlobInfo{Digest: "sha256:x", Size: int64(size)}, distribution.ErrBlobInvalidDigest{}},
		} {
			t.Run(name+"/"+driver.FormatBytes(int64(size)), func(t *testing.T) {
				storage := memory(t)
				d := destination(t, "bucket:"+storage+"#team/app:v1")
				info, err := d.PutBlob(t.Context(), tt.stream, tt.info, none.NoCache, false)
				if cerr := d.Close(); cerr != nil {
					t.Error(cerr)
				}
				if tt.want != nil {
					var verdict distribution.ErrBlobInvalidDigest
					if !errors.Is(err, tt.want) && (!errors.As(tt.want, new(distribution.ErrBlobInvalidDigest)) || !errors.As(err, &verdict)) {
						t.Errorf("%v, want %v", err, tt.want)
					}
					if left := keys(t, storage); len(left) > 0 {
						t.Errorf("left are %q", left)
					}
					return
				}
				want := tt.info.Digest
				if want == "" {
					want = digest.FromBytes(p)
				}
				if err != nil || info.Digest != want || info.Size != int64(size) {
					t.Fatalf("%v and %v, want %s", info, err, want)
				}
				if left := keys(t, storage); len(left) != 2 {
					t.Errorf("there are %q, want a blob and a link", left)
				}
			})
		}
	}
}

// TestPutBlobCancelled ends the context while a blob is being sent.
func TestPutBlobCancelled(t *testing.T) {
	p := sample.Bytes(2, 20<<20)
	for name, info := range map[string]types.BlobInfo{"known": infoOf(p), "unknown": {Size: -1}} {
		t.Run(name, func(t *testing.T) {
			storage := memory(t)
			d := destination(t, "bucket:"+storage+"#app:v1")
			ctx, cancel := context.WithCancel(t.Context())
			stream := io.MultiReader(bytes.NewReader(p[:12<<20]), readerFunc(func([]byte) (int, error) {
				cancel()
				return 0, ctx.Err()
			}))
			if _, err := d.PutBlob(ctx, stream, info, none.NoCache, false); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if left := keys(t, storage); len(left) > 0 {
				t.Errorf("left are %q", left)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestTryReusingBlob reuses a blob of another repository by its digest alone, and moves no byte.
func TestTryReusingBlob(t *testing.T) {
	var sent sync.Map
	storage := watching(t, nil, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Op == driver.OpPut {
			sent.Store(c.Key, true)
		}
		return next(ctx)
	})
	p := sample.Bytes(3, 100_000)
	put(t, destination(t, "bucket:"+storage+"#team/one:v1"), p)
	sent.Clear()
	d := destination(t, "bucket:"+storage+"#other/two:v1")
	for name, tt := range map[string]struct {
		info types.BlobInfo
		want bool
	}{
		"there":           {infoOf(p), true},
		"of unknown size": {types.BlobInfo{Digest: digest.FromBytes(p), Size: -1}, true},
		"of another size": {types.BlobInfo{Digest: digest.FromBytes(p), Size: 7}, false},
		"not there":       {infoOf([]byte("x")), false},
	} {
		reused, info, err := d.TryReusingBlob(t.Context(), tt.info, none.NoCache, true)
		if err != nil || reused != tt.want || reused && (info.Digest != tt.info.Digest || info.Size != int64(len(p))) {
			t.Errorf("%s: %t, %v, %v, want %t", name, reused, info, err, tt.want)
		}
	}
	sent.Range(func(key, _ any) bool {
		if !strings.Contains(key.(string), "/_layers/") {
			t.Errorf("%s was written", key)
		}
		return true
	})
	if _, _, err := d.TryReusingBlob(t.Context(), types.BlobInfo{Digest: "sha256:x"}, none.NoCache, false); err == nil {
		t.Error("what is no digest was looked for")
	}
	if d := putImage(t, d, p); d == "" {
		t.Error("no image of the reused blob")
	}
}

// TestTagLast looks at what is written, in order: blobs, the manifest, and then the tag, by Commit.
func TestTagLast(t *testing.T) {
	var mu sync.Mutex
	var order []string
	storage := watching(t, nil, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		err := next(ctx)
		mu.Lock()
		defer mu.Unlock()
		if c.Op == driver.OpPut && err == nil {
			order = append(order, c.Key)
		}
		return err
	})
	d := destination(t, "bucket:"+storage+"#app:v1")
	config, layer := []byte(`{}`), sample.Bytes(4, 1000)
	put(t, d, config)
	m := manifestOf(digest.FromBytes(config), len(config), `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"`+digest.FromBytes(layer).String()+`","size":1000}`)
	if err := d.PutManifest(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	// A layer is missing: the image is refused, and nothing of it shows.
	if err := d.Commit(t.Context(), nil); !errors.As(err, new(distribution.ErrManifestVerification)) || !strings.Contains(err.Error(), digest.FromBytes(layer).String()) {
		t.Errorf("without a layer: %v", err)
	}
	if slices.ContainsFunc(order, func(key string) bool { return strings.Contains(key, "/_manifests/") }) {
		t.Errorf("without a layer %q was written", order)
	}
	put(t, d, layer)
	blobs := len(order)
	if err := d.PutManifest(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if len(order) != blobs {
		t.Errorf("before Commit %q was written", order[blobs:])
	}
	if err := d.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	last := order[len(order)-1]
	if !strings.HasSuffix(last, "/_manifests/tags/v1/current/link") || slices.Index(order, last) != len(order)-1 {
		t.Errorf("%q, want the tag last", order)
	}
	if got, _, err := source(t, "bucket:"+storage+"#app:v1").GetManifest(t.Context(), nil); err != nil || !bytes.Equal(got, m) {
		t.Errorf("%s, %v", got, err)
	}
}

func TestPutManifestRefuses(t *testing.T) {
	storage := memory(t)
	d := destination(t, "bucket:"+storage+"#app:v1")
	config := put(t, d, []byte(`{}`)).Digest
	good := manifestOf(config, 2)
	var rejected types.ManifestTypeRejectedError
	for name, tt := range map[string]struct {
		payload  string
		instance digest.Digest
		is       func(error) bool
	}{
		"no JSON":        {"x", "", func(err error) bool { return err != nil }},
		"first schema":   {`{"schemaVersion":1,"name":"app","tag":"v1"}`, "", func(err error) bool { return errors.As(err, &rejected) }},
		"an artifact":    {`{"schemaVersion":2,"mediaType":"application/vnd.example+json"}`, "", func(err error) bool { return errors.As(err, &rejected) }},
		"another digest": {string(good), digest.FromString("other"), func(err error) bool { return errors.Is(err, driver.Corrupt) }},
		"no digest":      {string(good), "sha256:x", func(err error) bool { return err != nil }},
	} {
		var instance *digest.Digest
		if tt.instance != "" {
			instance = &tt.instance
		}
		if err := d.PutManifest(t.Context(), []byte(tt.payload), instance); !tt.is(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Commit(t.Context(), nil); err == nil {
		t.Error("committed without a manifest")
	}
	byDigest := destination(t, "bucket:"+storage+"#app@"+digest.FromString("other").String())
	if err := byDigest.PutManifest(t.Context(), good, nil); !errors.Is(err, driver.Corrupt) {
		t.Errorf("a manifest that is not the reference's: %v", err)
	}
	for _, key := range keys(t, storage) {
		if strings.Contains(key, "/_manifests/") {
			t.Errorf("%s was written", key)
		}
	}
	byDigest = destination(t, "bucket:"+storage+"#app@"+digest.FromBytes(good).String())
	if err := errors.Join(byDigest.PutManifest(t.Context(), good, nil), byDigest.Commit(t.Context(), nil)); err != nil {
		t.Error(err)
	}
	if got, _, err := source(t, "bucket:"+storage+"#app@"+digest.FromBytes(good).String()).GetManifest(t.Context(), nil); err != nil || !bytes.Equal(got, good) {
		t.Errorf("%s, %v", got, err)
	}
}

// TestSignatures of an image and of an instance are kept once, and are there before the tag is. A
// registry finds them by the extension for signatures.
func TestSignatures(t *testing.T) {
	storage := memory(t)
	ref := "bucket:" + storage + "#app:v1"
	for range 2 {
		d := destination(t, ref)
		if err := d.SupportsSignatures(t.Context()); err != nil {
			t.Fatal(err)
		}
		layer := infoOf([]byte("layer"))
		put(t, d, []byte("layer"))
		desc := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":5}`, layer.Digest)
		instance, payload := manifestOf(layer.Digest, 5, desc), manifestOf(layer.Digest, 5, desc, desc)
		of := digest.FromBytes(instance)
		err := errors.Join(
			d.PutManifest(t.Context(), instance, &of),
			d.PutSignatures(t.Context(), [][]byte{[]byte("signed instance")}, &of),
			d.PutManifest(t.Context(), payload, nil),
			d.PutSignatures(t.Context(), [][]byte{[]byte("one"), []byte("two")}, nil),
			d.Commit(t.Context(), nil),
		)
		if err != nil {
			t.Fatal(err)
		}
		s := source(t, ref)
		for instance, want := range map[*digest.Digest]string{nil: "one two", &of: "signed instance"} {
			got, err := s.GetSignatures(t.Context(), instance)
			slices.SortFunc(got, bytes.Compare)
			if text := string(bytes.Join(got, []byte(" "))); err != nil || text != want {
				t.Errorf("signatures are %q (%v), want %q", text, err, want)
			}
		}
	}
	d := destination(t, ref)
	unknown := digest.FromString("unknown")
	if err := d.PutSignatures(t.Context(), [][]byte{[]byte("of nothing")}, &unknown); !errors.Is(err, driver.NotFound) {
		t.Errorf("signature of what is not there: %v", err)
	}
}

// TestStoreFails tells which image, and the kind of error.
func TestStoreFails(t *testing.T) {
	storage := watching(t, fault.Script{{Op: driver.OpPut, Key: "**", Where: fault.Before, Kind: driver.Denied}}, nil)
	d := destination(t, "bucket:"+storage+"#team/app:v1")
	p := []byte("layer")
	if _, err := d.PutBlob(t.Context(), bytes.NewReader(p), infoOf(p), none.NoCache, false); !errors.Is(err, driver.Denied) || !strings.Contains(err.Error(), "#team/app:v1") {
		t.Errorf("got %v", err)
	}
}
