package usage

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/internal/layout"
)

// listed is a bucket whose blobs are made while they are listed. It keeps none.
type listed struct {
	driver.Bucket
	blobs     int
	ascending bool // as stores list keys
	layout    layout.Layout
}

func (b listed) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	if q.Prefix != b.layout.Blobs() {
		return b.Bucket.ListPage(ctx, q)
	}
	var page driver.Page[driver.Entry]
	at := 0
	if q.Token != "" {
		fmt.Sscan(q.Token, &at)
	}
	for i := range min(driver.MaxPage, b.blobs-at) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(at+i)))
		if b.ascending {
			binary.BigEndian.PutUint64(sum[:], uint64(at+i)*(math.MaxUint64/uint64(b.blobs)))
		}
		d := digest.NewDigestFromBytes(digest.SHA256, sum[:])
		page.Items = append(page.Items, driver.Entry{Object: driver.Object{Key: b.layout.Blob(d), Size: 1}})
	}
	if at += len(page.Items); at < b.blobs {
		page.Next = fmt.Sprint(at)
	}
	return page, nil
}

// TestBytesPerBlob holds what is kept of each blob to 56 bytes, and to 100 where the store lists
// keys in another order than by name: ten million are 1 GB. A 128th of them fills maps as much.
func TestBytesPerBlob(t *testing.T) {
	for ascending, most := range map[bool]float64{true: 56, false: 100} {
		if per := bytesPerBlob(t, ascending, 10_000_000/128); per > most || per < 48 {
			t.Errorf("ascending %v: %.1f bytes a blob", ascending, per)
		} else {
			t.Logf("ascending %v: %.1f bytes a blob", ascending, per)
		}
	}
}

func bytesPerBlob(t *testing.T, ascending bool, blobs int) float64 {
	t.Helper()
	o, _ := Options{}.defaults()
	r := newRun(listed{mem.New(), blobs, ascending, layout.Layout{Root: o.Root}}, o)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := r.listBlobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id := range r.blobs.all() {
		r.young.Add(id)
		r.live.Add(id)
		r.tagged.Add(id)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if r.report.Blobs.Objects != int64(blobs) || r.blobs.n != blobs {
		t.Errorf("%d blobs, %d IDs", r.report.Blobs.Objects, r.blobs.n)
	}
	runtime.KeepAlive(r)
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(blobs)
}

// TestBytesPerManifest holds what is kept of a manifest with six references to 200 bytes, beside
// what is kept of each blob.
func TestBytesPerManifest(t *testing.T) {
	const manifests = 10_000
	o, _ := Options{}.defaults()
	b := mem.New()
	r := newRun(b, o)
	var all []digest.Digest
	for i := range manifests {
		var refs []string
		for j := range 6 {
			d := digest.FromString(fmt.Sprint(i, j))
			r.digests.ID(d)
			refs = append(refs, fmt.Sprintf(`{"digest":%q,"size":1}`, d))
		}
		text := fmt.Sprintf(`{"schemaVersion":2,"config":%s,"layers":[%s]}`, refs[0], strings.Join(refs[1:], ","))
		d := digest.FromString(text)
		r.digests.ID(d)
		all = append(all, d)
		if _, err := b.Put(t.Context(), r.layout.Blob(d), io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, d := range all {
		if m, err := r.manifests.Get(t.Context(), d); err != nil || len(m.Blobs) != 6 {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := float64(after.HeapAlloc-before.HeapAlloc) / manifests; per > 200 || per < 80 {
		t.Errorf("a manifest takes %.1f bytes", per)
	} else {
		t.Logf("%.1f bytes a manifest", per)
	}
	runtime.KeepAlive(r)
	runtime.KeepAlive(all)
}

// TestTeamsAreForgotten keeps what teams have no longer than their repositories take.
func TestTeamsAreForgotten(t *testing.T) {
	o, _ := Options{}.defaults()
	b := mem.New()
	r := newRun(b, o)
	for i := range 50 {
		for _, repo := range []string{"app", "web"} {
			key := r.layout.LayerLink(fmt.Sprintf("team%d/%s", i, repo), digest.FromString("layer"))
			if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader("x"), 0, 1), driver.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	most := 0
	r.options.Progress = func(Progress) {
		r.teams.mu.Lock()
		defer r.teams.mu.Unlock()
		most = max(most, len(r.teams.open))
	}
	r.options.Concurrency = 2
	if err := r.repositories(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.teams.open) != 0 || most > 5 || len(r.owners.teams) != 50 || len(r.owners.repositories) != 100 {
		t.Errorf("%d teams are kept, %d at most; of %d, with %d repositories", len(r.teams.open), most, len(r.owners.teams), len(r.owners.repositories))
	}
}
