package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/transport"
	"github.com/blobdock/blobdock/transport/internal/sample"
)

// TestCopies copies an image and a list from a layout to a bucket, from there to another one, and
// back to a layout: digests stay, blobs too.
func TestCopies(t *testing.T) {
	l := sample.New(t)
	layer := sample.Layer(5, 9<<20)
	amd := l.Image("one", "amd64", layer, sample.Layer(6, 100))
	arm := l.Image("", "arm64", layer)
	list := l.List("all", amd, arm)
	first, second := memory(t)+"-first", "file://"+t.TempDir()
	back := sample.New(t)
	for _, tt := range []struct {
		name string
		want digest.Digest
	}{{"one", amd.Digest}, {"all", list.Digest}} {
		for _, leg := range [][2]string{
			{"bucket:" + first + "#team/app:" + tt.name, "oci:" + l.Dir + ":" + tt.name},
			{"bucket:" + second + "#mirror/app@" + tt.want.String(), "bucket:" + first + "#team/app:" + tt.name},
			{"bucket:" + second + "#mirror/app:v1", "bucket:" + second + "#mirror/app@" + tt.want.String()},
			{"oci:" + back.Dir + ":" + tt.name, "bucket:" + second + "#mirror/app:v1"},
		} {
			if err := copyImage(t.Context(), t, leg[0], leg[1]); err != nil {
				t.Fatalf("%s to %s: %v", leg[1], leg[0], err)
			}
			if !strings.HasPrefix(leg[0], "bucket:") {
				continue
			}
			got, _, err := source(t, leg[0]).GetManifest(t.Context(), nil)
			if err != nil || digest.FromBytes(got) != tt.want {
				t.Errorf("%s: %s, %v, want %s", leg[0], digest.FromBytes(got), err, tt.want)
			}
		}
	}
	s := source(t, "bucket:"+second+"#mirror/app:v1")
	if got := readBlob(t, s, digest.FromBytes(layer)); !bytes.Equal(got, layer) {
		t.Error("the layer differs")
	}
	if got, mediaType, err := s.GetManifest(t.Context(), &arm.Digest); err != nil || digest.FromBytes(got) != arm.Digest || mediaType != arm.MediaType {
		t.Errorf("instance %s, %s, %v, want %s", digest.FromBytes(got), mediaType, err, arm.Digest)
	}
	var images []string
	for image, err := range transport.Images(t.Context(), first) {
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, image)
	}
	if want := []string{"team/app:all", "team/app:one"}; !slices.Equal(images, want) {
		t.Errorf("images %q, want %q", images, want)
	}
}

func TestSourceMissing(t *testing.T) {
	dir := t.TempDir()
	storage := "file://" + dir
	putImage(t, destination(t, "bucket:"+storage+"#app:v1"), []byte("layer"))
	for _, image := range []string{
		storage + "#app:v2", storage + "#other:v1", storage + "#app@" + someDigest, "file://" + filepath.Join(dir, "missing") + "#app:v1",
	} {
		ref := parse(t, "bucket:"+image)
		src, err := ref.NewImageSource(t.Context(), nil)
		if src != nil || !errors.Is(err, driver.NotFound) && !errors.Is(err, driver.NoBucket) {
			t.Errorf("%s: %v and %v", image, src, err)
		}
		if img, err := ref.NewImage(t.Context(), nil); img != nil || err == nil {
			t.Errorf("image %s: %v and %v", image, img, err)
		}
		if err := ref.DeleteImage(t.Context(), nil); err == nil {
			t.Errorf("%s was deleted", image)
		}
	}
	s := source(t, "bucket:"+storage+"#app:v1")
	missing := digest.FromString("missing")
	if _, _, err := s.GetBlob(t.Context(), types.BlobInfo{Digest: missing}, none.NoCache); !errors.Is(err, driver.NotFound) {
		t.Errorf("a missing blob: %v", err)
	}
	if _, _, err := s.GetManifest(t.Context(), &missing); !errors.Is(err, driver.NotFound) {
		t.Errorf("a missing instance: %v", err)
	}
}

func TestDeleteImage(t *testing.T) {
	storage := memory(t)
	d := putImage(t, destination(t, "bucket:"+storage+"#app:v1"), []byte("layer"))
	for _, tag := range []string{"v2", "v3"} {
		putImage(t, destination(t, "bucket:"+storage+"#app:"+tag), []byte("layer"))
	}
	tags := func() (all []string) {
		for image, err := range transport.Images(t.Context(), storage+"#app") {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, image)
		}
		return all
	}
	if err := parse(t, "bucket:"+storage+"#app:v2").DeleteImage(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := tags(), []string{"app:v1", "app:v3"}; !slices.Equal(got, want) {
		t.Errorf("without a tag %q, want %q", got, want)
	}
	if err := parse(t, "bucket:"+storage+"#app@"+d.String()).DeleteImage(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got, want := tags(), []string{"app"}; !slices.Equal(got, want) {
		t.Errorf("without the manifest %q, want %q", got, want)
	}
}

func TestImagesRefuses(t *testing.T) {
	storage := memory(t)
	putImage(t, destination(t, "bucket:"+storage+"#app:v1"))
	for where, want := range map[string]error{
		storage + "#app:v1": driver.Invalid, storage + "?x=y": driver.Invalid, storage + "#other": driver.NotFound,
		"file://" + filepath.Join(t.TempDir(), "missing"): driver.NoBucket,
	} {
		n := 0
		for image, err := range transport.Images(t.Context(), where) {
			if n++; n > 1 || !errors.Is(err, want) {
				t.Errorf("%s: %q, %v, want %v", where, image, err, want)
			}
		}
		if n == 0 {
			t.Errorf("%s: nothing, want %v", where, want)
		}
	}
}

func TestGetBlobAt(t *testing.T) {
	p := sample.Bytes(7, 20<<20)
	size := uint64(len(p))
	storage := memory(t)
	put(t, destination(t, "bucket:"+storage+"#app:v1"), p)
	putImage(t, destination(t, "bucket:"+storage+"#app:v1"))
	s := source(t, "bucket:"+storage+"#app:v1")
	const end = math.MaxUint64
	for name, tt := range map[string]struct {
		chunks []transport.Chunk
		want   error
	}{
		"none":                   {nil, nil},
		"some":                   {[]transport.Chunk{{0, 10}, {10, 5}, {100, 9 << 20}, {10 << 20, 1}}, nil},
		"to the end":             {[]transport.Chunk{{0, 10}, {11 << 20, end}}, nil},
		"all":                    {[]transport.Chunk{{0, end}}, nil},
		"overlapping":            {[]transport.Chunk{{0, 10}, {9, 10}}, driver.Invalid},
		"unsorted":               {[]transport.Chunk{{10, 10}, {0, 10}}, driver.Invalid},
		"behind one to the end":  {[]transport.Chunk{{0, end}, {10, 10}}, driver.Invalid},
		"without bytes":          {[]transport.Chunk{{0, 0}}, driver.Invalid},
		"beyond the end":         {[]transport.Chunk{{size - 1, 2}}, driver.OutOfRange},
		"to the end, behind it":  {[]transport.Chunk{{size, end}}, driver.OutOfRange},
		"beyond what is counted": {[]transport.Chunk{{end - 1, 1}}, driver.Invalid},
		"longer than is counted": {[]transport.Chunk{{0, end - 1}}, driver.Invalid},
	} {
		readers, errs, err := s.GetBlobAt(t.Context(), infoOf(p), tt.chunks)
		if tt.want != nil {
			if !errors.As(err, new(transport.BadPartialRequestError)) || !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := 0
		for r := range readers {
			got, err := io.ReadAll(r)
			c := tt.chunks[n]
			if n++; err != nil || !bytes.Equal(got, p[c.Offset:min(size, c.Offset+min(c.Length, size))]) {
				t.Errorf("%s: chunk %v has %d bytes, %v", name, c, len(got), err)
			}
			if n%2 == 0 {
				_ = r.Close()
			}
		}
		if err := <-errs; err != nil || n != len(tt.chunks) {
			t.Errorf("%s: %d chunks, %v", name, n, err)
		}
	}
	if _, _, err := s.GetBlobAt(t.Context(), infoOf([]byte("missing")), nil); !errors.Is(err, driver.NotFound) {
		t.Errorf("a missing blob: %v", err)
	}
}

// TestGetBlobAtEnds ends the context between chunks, and in one.
func TestGetBlobAtEnds(t *testing.T) {
	p := sample.Bytes(8, 20<<20)
	storage := memory(t)
	put(t, destination(t, "bucket:"+storage+"#app:v1"), p)
	putImage(t, destination(t, "bucket:"+storage+"#app:v1"))
	s := source(t, "bucket:"+storage+"#app:v1")
	ctx, cancel := context.WithCancel(t.Context())
	readers, errs, err := s.GetBlobAt(ctx, infoOf(p), []transport.Chunk{{0, 10}, {1 << 20, 18 << 20}, {20<<20 - 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	_ = (<-readers).Close() // unread
	r := <-readers
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, more := <-readers; more {
		t.Error("a chunk came after the end")
	}
	if _, err := io.ReadAll(r); err == nil {
		t.Error("a chunk was read to its end after the end")
	}
}
