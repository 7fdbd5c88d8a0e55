package gc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/gc"
	"github.com/blobdock/blobdock/internal/layout"
)

const (
	layersEach    = 3  // blobs of each manifest
	manifestsEach = 50 // of each repository
	unusedEvery   = 1000
)

// large is a registry that lies nowhere: its keys and manifests are computed when they are asked
// for. One in unusedEvery manifests was deleted, and left its blobs and their links. What is
// written goes to the bucket below.
type large struct {
	driver.Bucket
	manifests, repositories int
	blobs                   []string       // keys, in order
	numbers                 map[string]int // of manifests, by the beginning of their digests
	reads, lists            atomic.Int64

	mu   sync.Mutex
	next time.Time // when another read passes
	gone map[string]bool
}

func newLarge(manifests int) *large {
	l := &large{Bucket: mem.New(), manifests: manifests, repositories: manifests / manifestsEach, numbers: make(map[string]int), gone: make(map[string]bool)}
	for i := range manifests {
		for j := range layersEach {
			l.blobs = append(l.blobs, keys.Blob(l.layer(i, j)))
		}
		d := digest.FromBytes(l.manifest(i))
		l.numbers[d.Encoded()[:16]] = i
		l.blobs = append(l.blobs, keys.Blob(d))
	}
	slices.Sort(l.blobs)
	return l
}

func (l *large) layer(i, j int) digest.Digest {
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], uint64(i))
	binary.BigEndian.PutUint64(seed[8:], uint64(j))
	return digest.NewDigestFromBytes(digest.SHA256, func() []byte { s := sha256.Sum256(seed[:]); return s[:] }())
}

func (l *large) manifest(i int) []byte {
	var refs []string
	for j := range layersEach {
		refs = append(refs, fmt.Sprintf(`{"digest":%q,"size":1}`, l.layer(i, j)))
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"n":%d,"layers":[%s]}`, i, strings.Join(refs, ","))
}

func deleted(i int) bool { return i%unusedEvery == 0 }

func repoOf(r int) string { return fmt.Sprintf("team%02d/app%05d", r%100, r) }

// repository is the keys of one.
func (l *large) repository(r int) (all []string) {
	name := repoOf(r)
	for i := r * manifestsEach; i < (r+1)*manifestsEach; i++ {
		for j := range layersEach {
			all = append(all, keys.LayerLink(name, l.layer(i, j)))
		}
		if d := digest.FromBytes(l.manifest(i)); !deleted(i) {
			tag := fmt.Sprintf("v%d", i)
			all = append(all, keys.RevisionLink(name, d), keys.TagLink(name, tag), keys.TagIndexLink(name, tag, d))
		}
	}
	slices.Sort(all)
	return all
}

// Features has no store's extras, which would pass l by.
func (l *large) Features() driver.Features { return l.Bucket.Features() }

const page = 1000

func (l *large) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	time.Sleep(20 * time.Millisecond)
	l.lists.Add(1)
	var p driver.Page[driver.Entry]
	entry := func(key string, size int64) {
		p.Items = append(p.Items, driver.Entry{Object: driver.Object{Key: key, Size: size, ETag: "x", ModTime: time.Now().Add(-48 * time.Hour)}})
	}
	switch q.Prefix {
	case keys.Blobs():
		at := 0
		if q.Token != "" {
			at = sort.SearchStrings(l.blobs, q.Token)
		}
		for _, key := range l.blobs[at:min(at+page, len(l.blobs))] {
			entry(key, 1)
		}
		if at+page < len(l.blobs) {
			p.Next = l.blobs[at+page]
		}
		return p, nil
	case keys.Repositories():
		// Repositories in the order of their names, a few a page.
		const few = page / (manifestsEach * (layersEach + 3))
		at := 0
		_, _ = fmt.Sscanf(q.Token, "%d", &at)
		for k := at; k < min(at+few, l.repositories); k++ {
			per := l.repositories / 100
			r := k/per + 100*(k%per)
			for _, key := range l.repository(r) {
				entry(key, 71)
			}
		}
		if at+few < l.repositories {
			p.Next = fmt.Sprint(at + few)
		}
		return p, nil
	}
	return l.Bucket.ListPage(ctx, q)
}

// Open reads a link or a manifest.
func (l *large) Open(ctx context.Context, key string, span driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	n, ok := keys.Parse(key)
	if !ok {
		return l.Bucket.Open(ctx, key, span, o)
	}
	l.slot()
	l.reads.Add(1)
	var content []byte
	switch n.Kind {
	case layout.TagLink:
		var i int
		_, _ = fmt.Sscanf(n.Tag, "v%d", &i)
		content = []byte(digest.FromBytes(l.manifest(i)))
	case layout.Blob:
		content = l.found(n.Digest)
	default:
		return nil, driver.NewError(driver.OpOpen, key, driver.NotFound)
	}
	obj := driver.Object{Key: key, Size: int64(len(content)), ETag: "x"}
	return &driver.Reader{ReadCloser: io.NopCloser(bytes.NewReader(content)), Object: obj, Range: driver.Range{Len: obj.Size}}, nil
}

// Stat describes what is not stored, as long as it was not deleted.
func (l *large) Stat(ctx context.Context, key string) (driver.Object, error) {
	if _, ok := keys.Parse(key); !ok {
		return l.Bucket.Stat(ctx, key)
	}
	l.slot()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone[key] {
		return driver.Object{}, driver.NewError(driver.OpStat, key, driver.NotFound)
	}
	return driver.Object{Key: key, Size: 1, ETag: "x", Version: "x", ModTime: time.Now().Add(-48 * time.Hour)}, nil
}

// Delete deletes.
func (l *large) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	if _, ok := keys.Parse(key); !ok {
		return l.Bucket.Delete(ctx, key, o)
	}
	l.slot()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !unusedKey(l, key) {
		return driver.NewError(driver.OpDelete, key, driver.Denied)
	}
	l.gone[key] = true
	return nil
}

// unusedKey reports whether a key is one that a deleted manifest has left.
func unusedKey(l *large, key string) bool {
	for i := 0; i < l.manifests; i += unusedEvery {
		if strings.Contains(key, digest.FromBytes(l.manifest(i)).Encoded()) {
			return true
		}
		for j := range layersEach {
			if strings.Contains(key, l.layer(i, j).Encoded()) {
				return true
			}
		}
	}
	return false
}

// slot lets 5,500 reads a second pass, each of which takes 20 ms.
func (l *large) slot() {
	l.mu.Lock()
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(time.Second / 5500)
	wait := l.next.Sub(now)
	l.mu.Unlock()
	time.Sleep(wait + 20*time.Millisecond)
}

// found is the manifest of a digest.
func (l *large) found(d digest.Digest) []byte { return l.manifest(l.numbers[d.Encoded()[:16]]) }

// TestScale collects the garbage of a large registry: how many requests that takes follows from
// how many keys there are, and it takes no longer and no more memory than it may. The time is the
// store's, without the wait.
func TestScale(t *testing.T) {
	manifests, most := 5_000, 60*time.Second
	if os.Getenv("BLOBDOCK_TEST_FULL") != "" {
		manifests, most = 250_000, 3*time.Minute
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLarge(manifests)
		before := heap()
		var peak uint64
		began := time.Now()
		s := collect(t, l, gc.Options{Progress: func(_ gc.Phase, done, _ int64) {
			if done%200_000 < 300 {
				peak = max(peak, heap())
			}
		}})
		took := time.Since(began) - time.Hour
		blobs, unused := len(l.blobs), manifests/unusedEvery*(1+2*layersEach)
		if s.Blobs != int64(blobs) || s.Deleted != int64(unused) || s.Manifests != int64(manifests-manifests/unusedEvery) {
			t.Errorf("%+v, want %d blobs, and %d objects deleted", s, blobs, unused)
		}
		// Each manifest once, each tag twice; the keys of repositories twice, and of blobs once.
		kept := manifests - manifests/unusedEvery
		const few = page / (manifestsEach * (layersEach + 3))
		pages := 2*((l.repositories+few-1)/few) + (blobs+page-1)/page
		if reads := l.reads.Load(); reads != int64(3*kept) {
			t.Errorf("%d reads, want %d", reads, 3*kept)
		}
		if lists := l.lists.Load(); lists != int64(pages)+1 {
			t.Errorf("%d lists, want %d and one of tombstones", lists, pages)
		}
		grown := int64(peak) - int64(before)
		t.Logf("%d blobs, %d manifests: %v beside the wait, %d MiB, %d lists, %d reads", blobs, manifests, took, grown>>20, l.lists.Load(), l.reads.Load())
		if took > most {
			t.Errorf("took %v beside the wait, want %v at most", took, most)
		}
		if grown > 400<<20 {
			t.Errorf("%d MiB, want 400 at most", grown>>20)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
