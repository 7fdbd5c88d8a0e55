package survey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/manifests"
)

// Manifest is what a manifest refers to.
type Manifest struct {
	Blobs    []ID // config, layers and the like
	Children []ID // manifests that it names
	// Manifests are those of the Children whose media type is one of manifests, and not of a layer,
	// as in indexes of build caches.
	Manifests []digest.Digest
	Subject   ID // where HasSubject
	// HasSubject is that it is a referrer of another one.
	HasSubject bool
	// Fault is what keeps it from being understood, "" where nothing does. What it refers to is
	// then not known.
	Fault string
	// Absent is that there is none.
	Absent bool
}

// Manifests reads manifests, each once, and keeps what they refer to: some 150 bytes and 4 for each
// reference. It is safe for concurrent use.
type Manifests struct {
	bucket  driver.Bucket
	layout  layout.Layout
	digests *Digests
	slots   chan struct{}
	reading singleflight.Group

	mu   sync.Mutex
	read map[ID]*Manifest
}

// NewManifests reads manifests of a registry, limit at a time.
func NewManifests(b driver.Bucket, l layout.Layout, digests *Digests, limit int) *Manifests {
	return &Manifests{bucket: b, layout: l, digests: digests, slots: make(chan struct{}, limit), read: make(map[ID]*Manifest)}
}

// Get returns the manifest d. An absent one is not kept: it may come. The error is the store's.
func (x *Manifests) Get(ctx context.Context, d digest.Digest) (*Manifest, error) {
	id := x.digests.ID(d)
	for {
		if m := x.known(id); m != nil {
			return m, nil
		}
		got, err, _ := x.reading.Do(d.String(), func() (any, error) {
			// Another read may have ended since the look above.
			if m := x.known(id); m != nil {
				return m, nil
			}
			m, err := x.fetch(ctx, d)
			if err == nil && !m.Absent {
				x.mu.Lock()
				x.read[id] = m
				x.mu.Unlock()
			}
			return m, err
		})
		if errors.Is(err, context.Canceled) && ctx.Err() == nil {
			continue // another's context
		}
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", d, err)
		}
		return got.(*Manifest), nil
	}
}

// Closure gets the manifests all, and those that they name, and so on: a repository may lack the
// link to one that an index names. at tells, of each, under which digest its content is.
func (x *Manifests) Closure(ctx context.Context, all []digest.Digest, at func(digest.Digest) digest.Digest) (map[digest.Digest]*Manifest, error) {
	got := make(map[digest.Digest]*Manifest, len(all))
	for len(all) > 0 {
		read := make([]*Manifest, len(all))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(cap(x.slots))
		for i, d := range all {
			g.Go(func() (err error) {
				read[i], err = x.Get(gctx, at(d))
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		for i, d := range all {
			got[d] = read[i]
		}
		next := make(map[digest.Digest]bool)
		for _, m := range read {
			for _, d := range m.Manifests {
				if got[d] == nil {
					next[d] = true
				}
			}
		}
		all = slices.Collect(maps.Keys(next))
	}
	return got, nil
}

func (x *Manifests) known(id ID) *Manifest {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.read[id]
}

func (x *Manifests) fetch(ctx context.Context, d digest.Digest) (*Manifest, error) {
	p, err := x.object(ctx, x.layout.Blob(d), manifests.MaxSize)
	switch {
	case errors.Is(err, driver.NotFound):
		return &Manifest{Absent: true}, nil
	case errors.Is(err, errTooLong):
		return &Manifest{Fault: fmt.Sprintf("it has more than %d bytes", manifests.MaxSize)}, nil
	case err != nil:
		return nil, err
	}
	m := x.parse(p)
	if m.Fault == "" && d.Algorithm().FromBytes(p) != d {
		m.Fault = "it has another digest"
	}
	return m, nil
}

// Link reads the digest that a link holds; "" where it holds none, and driver.NotFound when there is
// no link.
func (x *Manifests) Link(ctx context.Context, key string) (digest.Digest, error) {
	p, err := x.object(ctx, key, layout.MaxLink)
	if errors.Is(err, errTooLong) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("link: %w", err)
	}
	if d := digest.Digest(p); d.Validate() == nil {
		return d, nil
	}
	return "", nil
}

var errTooLong = errors.New("too long")

func (x *Manifests) object(ctx context.Context, key string, limit int) ([]byte, error) {
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rd, err := x.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	p, err := io.ReadAll(io.LimitReader(rd, int64(limit)+1))
	if err == nil && len(p) > limit {
		err = errTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("object %q: %w", key, err)
	}
	return p, nil
}

// parse reads references of whatever type a manifest is, Docker's first schema among them: what
// could be one is one.
func (x *Manifests) parse(p []byte) *Manifest {
	var doc struct {
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
		Blobs     []v1.Descriptor `json:"blobs"`
		Manifests []v1.Descriptor `json:"manifests"`
		Subject   *v1.Descriptor  `json:"subject"`
		FSLayers  []struct {
			BlobSum digest.Digest `json:"blobSum"`
		} `json:"fsLayers"`
	}
	m := new(Manifest)
	if err := json.Unmarshal(p, &doc); err != nil {
		m.Fault = err.Error()
		return m
	}
	note := func(to *[]ID, d digest.Digest) {
		if d.Validate() != nil {
			m.Fault = fmt.Sprintf("it refers to %q, which is no digest", d)
			return
		}
		*to = append(*to, x.digests.ID(d))
	}
	if doc.Config != nil {
		doc.Layers = append(doc.Layers, *doc.Config)
	}
	for _, ref := range append(doc.Layers, doc.Blobs...) {
		note(&m.Blobs, ref.Digest)
	}
	for _, ref := range doc.FSLayers {
		note(&m.Blobs, ref.BlobSum)
	}
	for _, ref := range doc.Manifests {
		note(&m.Children, ref.Digest)
		if m.Fault == "" && manifests.IsKnown(ref.MediaType) {
			m.Manifests = append(m.Manifests, ref.Digest)
		}
	}
	if doc.Subject != nil && doc.Subject.Digest.Validate() == nil {
		m.Subject, m.HasSubject = x.digests.ID(doc.Subject.Digest), true
	}
	return m
}
