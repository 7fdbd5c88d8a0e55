package transfer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/layout"
	"github.com/blobdock/blobdock/transfer"
)

var l = layout.Layout{Root: layout.DefaultRoot}

// smallParts make a few kilobytes an upload in parts.
var smallParts = driver.PartLimits{
	MinSize: 1 << 10, MaxSize: 64 << 10, MaxParts: 1000, MaxObject: 64 << 20, MaxPut: 64 << 20,
}

func newBucket() driver.Bucket { return mem.NewWith(mem.Options{Parts: smallParts}) }

// newStore has no retries, so that a fault is one.
func newStore(t testing.TB, b driver.Bucket) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{
		PartSize: 2 << 10, MemoryBudget: 256 << 10, Concurrency: 2,
		Retry: retry.Policy{Attempts: 1}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, b driver.Bucket, key string, p []byte) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// contents is what a bucket has, without what belongs to uploads.
func contents(t testing.TB, b driver.Bucket) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Key, "/_uploads/") {
			continue
		}
		r, err := b.Open(t.Context(), e.Key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		all[e.Key] = string(p)
	}
	return all
}

// pushes writes what a registry does when it is pushed to.
type pushes struct {
	testing.TB
	bucket driver.Bucket
	seed   uint64
}

func (p *pushes) blob(repo string, content []byte) v1.Descriptor {
	d := digest.FromBytes(content)
	write(p, p.bucket, l.Blob(d), content)
	write(p, p.bucket, l.LayerLink(repo, d), []byte(d))
	return v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: d, Size: int64(len(content))}
}

// random is a blob like no other.
func (p *pushes) random(repo string, size int) v1.Descriptor {
	p.seed++
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(p.seed), byte(p.seed >> 8)}).Read(b)
	return p.blob(repo, b)
}

func (p *pushes) manifest(repo, mediaType string, m any) v1.Descriptor {
	p.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		p.Fatal(err)
	}
	d := digest.FromBytes(b)
	write(p, p.bucket, l.Blob(d), b)
	write(p, p.bucket, l.RevisionLink(repo, d), []byte(d))
	return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}
}

func (p *pushes) image(repo string, subject *v1.Descriptor, sizes ...int) v1.Descriptor {
	m := v1.Manifest{MediaType: v1.MediaTypeImageManifest, Config: p.random(repo, 200), Subject: subject}
	for _, size := range sizes {
		m.Layers = append(m.Layers, p.random(repo, size))
	}
	return p.manifest(repo, v1.MediaTypeImageManifest, m)
}

func (p *pushes) index(repo string, of ...v1.Descriptor) v1.Descriptor {
	return p.manifest(repo, v1.MediaTypeImageIndex, v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: of})
}

func (p *pushes) tag(repo, tag string, d digest.Digest) {
	write(p, p.bucket, l.TagIndexLink(repo, tag, d), []byte(d))
	write(p, p.bucket, l.TagLink(repo, tag), []byte(d))
}

// refer is an index of what refers to d, and its tag.
func (p *pushes) refer(repo string, d digest.Digest, by ...v1.Descriptor) {
	p.tag(repo, "sha256-"+d.Encoded(), p.index(repo, by...).Digest)
}

// referrer lists d among the referrers of subject, as blobdock's manifests do.
func (p *pushes) referrer(repo string, subject, d digest.Digest) {
	write(p, p.bucket, l.Referrer(repo, subject, d), []byte(d))
}

// registry is one with a bit of everything.
func registry(t testing.TB) driver.Bucket {
	t.Helper()
	b := newBucket()
	p := &pushes{TB: t, bucket: b}
	for _, repo := range []string{"a", "a-b", "a/0", "a/b", "team/app"} {
		one, two := p.image(repo, nil, 100, 5000), p.image(repo, nil, 100)
		p.tag(repo, "v1", two.Digest)
		p.tag(repo, "v1", one.Digest) // it has moved
		p.tag(repo, "v2", p.index(repo, one, two).Digest)
		p.refer(repo, one.Digest, p.image(repo, &one, 300))
		p.tag(repo, "sha256-"+one.Digest.Encoded()+".sig", p.image(repo, nil, 50).Digest)
		p.image(repo, nil, 10) // without a tag
		p.referrer(repo, one.Digest, p.image(repo, &one, 20).Digest)
	}
	p.blob("team/app", nil)
	p.blob("a", []byte("shared"))
	p.blob("a/b", []byte("shared"))
	write(t, b, l.TarSumLink("a", "v1/sha256/aa"), []byte(digest.FromString("shared")))
	wide := []byte("known by another algorithm")
	write(t, b, l.Blob(digest.SHA512.FromBytes(wide)), wide)
	write(t, b, l.LayerLink("a", digest.SHA512.FromBytes(wide)), []byte(digest.SHA512.FromBytes(wide)))
	write(t, b, l.Blob(digest.FromString("linked by none")), []byte("linked by none"))
	return b
}

// blobsOf is how many blobs there are.
func blobsOf(all map[string]string) (n int) {
	for key := range all {
		if strings.HasPrefix(key, l.Blobs()) {
			n++
		}
	}
	return n
}

// copies copies all of src, or what o says, and collects the problems.
func copies(t testing.TB, src, dst driver.Bucket, o transfer.Options) (transfer.Summary, []transfer.Problem, error) {
	t.Helper()
	var problems []transfer.Problem
	o.Problem = func(p transfer.Problem) { problems = append(problems, p) }
	sum, err := transfer.Copy(t.Context(), newStore(t, src), newStore(t, dst), o)
	return sum, problems, err
}

// wantSame compares what two buckets have.
func wantSame(t testing.TB, got, want map[string]string) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[key]; !ok {
			t.Errorf("%s is missing", key)
		} else if g != want[key] {
			t.Errorf("%s differs", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			t.Errorf("%s is there", key)
		}
	}
}

// wantConsistent holds a registry to what the package promises at any moment.
func wantConsistent(t testing.TB, all map[string]string) {
	t.Helper()
	if err := consistent(all); err != nil {
		t.Error(err)
	}
}

func consistent(all map[string]string) error {
	for key, value := range all {
		n, ok := l.Parse(key)
		switch {
		case !ok:
			return fmt.Errorf("%s has no place", key)
		case n.Kind == layout.Blob:
			if got := n.Digest.Algorithm().FromString(value); got != n.Digest {
				return fmt.Errorf("%s has digest %s", key, got)
			}
			continue
		}
		d := digest.Digest(value)
		if _, ok := all[l.Blob(d)]; !ok {
			return fmt.Errorf("%s links to no blob", key)
		}
		if _, ok := all[l.RevisionLink(n.Repo, d)]; !ok && n.Kind == layout.TagLink {
			return fmt.Errorf("%s is no manifest", key)
		}
	}
	return nil
}

// wantNoUploads sweeps, and finds that nothing of an upload is left.
func wantNoUploads(t testing.TB, b driver.Bucket) {
	t.Helper()
	if _, err := newStore(t, b).Sweep(t.Context(), blobstore.SweepOptions{OlderThan: time.Nanosecond}); err != nil {
		t.Errorf("sweep: %v", err)
	}
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil || strings.Contains(e.Key, "/_uploads/") {
			t.Errorf("after the sweep: %s, %v", e.Key, err)
		}
	}
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{}) {
		t.Errorf("after the sweep: upload %v, %v", u, err)
	}
}
