package storm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// Thing is a manifest that clients push.
type Thing struct {
	Name     string
	Manifest *manifests.Manifest
	Digest   digest.Digest
	Layers   []digest.Digest // its config among them
	Children []*Thing
	Subject  *Thing
}

// Contents calls note with what is needed to pull a thing, of children that the repository has no link
// to as well.
func (m *Thing) Contents(note func(digest.Digest)) {
	note(m.Digest)
	for _, d := range m.Layers {
		note(d)
	}
	for _, c := range m.Children {
		c.Contents(note)
	}
}

// Names reports whether m or what it names has a digest.
func (m *Thing) Names(d digest.Digest) bool {
	return m.Digest == d || slices.Contains(m.Layers, d) || slices.ContainsFunc(m.Children, func(c *Thing) bool { return c.Names(d) })
}

// World is all that there is to push. It is little, so that clients need what others have deleted.
type World struct {
	Repos, Tags []string
	Layers      []v1.Descriptor
	Texts       map[digest.Digest]string // of layers
	All         []*Thing                 // children and subjects first
	Some        []*Thing                 // that this seed begins with
	names       []string
}

// NewWorld has layers of these texts, at least five, images of them, indexes and referrers.
func NewWorld(r *rand.Rand, repos, tags, texts []string) (*World, error) {
	w := &World{Repos: repos, Tags: tags, Texts: make(map[digest.Digest]string)}
	for i, text := range texts {
		d := digest.FromString(text)
		w.Layers = append(w.Layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: d, Size: int64(len(text))})
		w.Texts[d] = text
		w.names = append(w.names, d.Encoded(), fmt.Sprintf("<layer %d>", i))
	}
	if err := w.make(); err != nil {
		return nil, err
	}
	for range 1 + r.IntN(4) {
		w.Some = append(w.Some, w.All[r.IntN(len(w.All))])
	}
	return w, nil
}

func (w *World) make() error {
	one, err := w.image("one", nil, 0, 1)
	if err != nil {
		return err
	}
	two, err := w.image("two", nil, 1, 2)
	if err != nil {
		return err
	}
	three, err := w.image("three", nil, 3)
	if err != nil {
		return err
	}
	pair, err := w.index("pair", one, two)
	if err != nil {
		return err
	}
	if _, err := w.index("nested", pair, three); err != nil {
		return err
	}
	if _, err := w.image("referrer", one, 4); err != nil {
		return err
	}
	_, err = w.image("referrer of pair", pair, 0)
	return err
}

func (w *World) image(name string, subject *Thing, layers ...int) (*Thing, error) {
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Annotations: map[string]string{"name": name}}
	for _, i := range layers {
		m.Layers = append(m.Layers, w.Layers[i])
	}
	m.Config = m.Layers[0]
	if subject != nil {
		d := subject.Manifest.Descriptor()
		m.Subject = &d
	}
	return w.add(Thing{Name: name, Subject: subject}, m.MediaType, m)
}

func (w *World) index(name string, children ...*Thing) (*Thing, error) {
	x := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	for _, c := range children {
		x.Manifests = append(x.Manifests, c.Manifest.Descriptor())
	}
	return w.add(Thing{Name: name, Children: children}, x.MediaType, x)
}

func (w *World) add(m Thing, mediaType string, doc any) (*Thing, error) {
	p, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	if m.Manifest, err = manifests.Parse(mediaType, digest.SHA256, p); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	m.Digest = m.Manifest.Descriptor().Digest
	if m.Children == nil {
		for _, ref := range m.Manifest.References() {
			m.Layers = append(m.Layers, ref.Digest)
		}
	}
	w.All = append(w.All, &m)
	w.names = append(w.names, m.Digest.Encoded(), "<"+m.Name+">")
	return &m, nil
}

// Short is a text with names for digests.
func (w *World) Short(text string) string { return strings.NewReplacer(w.names...).Replace(text) }

// What clients change has names in a Ledger.

// TagName is the name of a tag.
func TagName(repo, tag string) string { return repo + ":" + tag }

// Revision is the name of a manifest in a repository.
func Revision(repo string, d digest.Digest) string { return repo + "@" + d.String() }

// Layer is the name of a blob in a repository.
func Layer(repo string, d digest.Digest) string { return repo + "/" + d.String() }
