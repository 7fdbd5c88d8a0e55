// Package sample makes images for tests.
package sample

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout is an OCI image layout in a directory of the test.
type Layout struct {
	tb    testing.TB
	Dir   string
	index v1.Index
}

// New makes an empty layout.
func New(tb testing.TB) *Layout {
	tb.Helper()
	l := &Layout{tb: tb, Dir: tb.TempDir(), index: v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}}
	l.write("oci-layout", v1.ImageLayout{Version: v1.ImageLayoutVersion})
	return l
}

// Bytes are size bytes that look random, the same for the same seed.
func Bytes(seed uint64, size int) []byte {
	p := make([]byte, size)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not for secrets
	for i := 0; i < len(p); i += 8 {
		word := random.Uint64()
		for j := i; j < min(i+8, len(p)); j++ {
			p[j] = byte(word)
			word >>= 8
		}
	}
	return p
}

// Layer is a layer of about size bytes, compressed with gzip, which saves nothing.
func Layer(seed uint64, size int) []byte {
	var p bytes.Buffer
	w, _ := gzip.NewWriterLevel(&p, gzip.NoCompression) // fails for a level that is none only
	_, _ = w.Write(Bytes(seed, size))                   // memory takes it
	_ = w.Close()
	return p.Bytes()
}

// Image adds an image for an architecture, of layers made by [Layer]. It gets a name in the layout
// where name is not "".
func (l *Layout) Image(name, architecture string, layers ...[]byte) v1.Descriptor {
	l.tb.Helper()
	platform := v1.Platform{OS: "linux", Architecture: architecture}
	config := v1.Image{Platform: platform, RootFS: v1.RootFS{Type: "layers"}, Author: name}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for _, layer := range layers {
		content, err := gzip.NewReader(bytes.NewReader(layer))
		if err != nil {
			l.tb.Fatal(err)
		}
		d, err := digest.FromReader(content)
		if err != nil {
			l.tb.Fatal(err)
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d)
		m.Layers = append(m.Layers, l.blob(v1.MediaTypeImageLayerGzip, layer))
	}
	m.Config = l.json(v1.MediaTypeImageConfig, config)
	desc := l.json(v1.MediaTypeImageManifest, m)
	desc.Platform = &platform
	l.name(name, desc)
	return desc
}

// List adds a list of images under a name.
func (l *Layout) List(name string, images ...v1.Descriptor) v1.Descriptor {
	l.tb.Helper()
	desc := l.json(v1.MediaTypeImageIndex, v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: images})
	l.name(name, desc)
	return desc
}

func (l *Layout) name(name string, desc v1.Descriptor) {
	l.tb.Helper()
	if name == "" {
		return
	}
	desc.Annotations = map[string]string{v1.AnnotationRefName: name}
	l.index.Manifests = append(l.index.Manifests, desc)
	l.write("index.json", l.index)
}

func (l *Layout) json(mediaType string, v any) v1.Descriptor {
	l.tb.Helper()
	p, err := json.Marshal(v)
	if err != nil {
		l.tb.Fatal(err)
	}
	return l.blob(mediaType, p)
}

func (l *Layout) blob(mediaType string, p []byte) v1.Descriptor {
	l.tb.Helper()
	d := digest.FromBytes(p)
	path := filepath.Join(l.Dir, "blobs", d.Algorithm().String(), d.Encoded())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.tb.Fatal(err)
	}
	if err := os.WriteFile(path, p, 0o600); err != nil {
		l.tb.Fatal(err)
	}
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(p))}
}

func (l *Layout) write(name string, v any) {
	l.tb.Helper()
	p, err := json.Marshal(v)
	if err != nil {
		l.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.Dir, name), p, 0o600); err != nil {
		l.tb.Fatal(err)
	}
}
