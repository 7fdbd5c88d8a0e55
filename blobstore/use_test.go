package blobstore_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// usesNoted notes what each object is written for.
type usesNoted struct {
	driver.Bucket
	mu   sync.Mutex
	uses map[string]driver.Use
}

func (b *usesNoted) note(key string, u driver.Use) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uses[key] = u
}

func (b *usesNoted) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	b.note(key, o.Use)
	return b.Bucket.Put(ctx, key, body, o)
}

func (b *usesNoted) Features() driver.Features {
	f := b.Bucket.Features()
	if f.Uploads != nil {
		f.Uploads = uploadsNoted{f.Uploads, b}
	}
	if concat := f.Concat; concat != nil {
		f.Concat = func(ctx context.Context, r driver.ConcatRequest) (driver.Object, error) {
			b.note(r.Key, r.Options.Use)
			return concat(ctx, r)
		}
	}
	return f
}

type uploadsNoted struct {
	driver.Uploads
	b *usesNoted
}

func (u uploadsNoted) CreateUpload(ctx context.Context, key string, o driver.WriteOptions) (driver.Upload, error) {
	u.b.note(key, o.Use)
	return u.Uploads.CreateUpload(ctx, key, o)
}

// TestUseOfObjects pushes blobs of one part and of several. Drivers give the configured
// storage class to blobs, and on one store to their pieces.
func TestUseOfObjects(t *testing.T) {
	for name, o := range map[string]mem.Options{"concat": {}, "uploads": {NoConcat: true}} {
		t.Run(name, func(t *testing.T) {
			b := &usesNoted{Bucket: mem.NewWith(o), uses: map[string]driver.Use{}}
			st, err := blobstore.New(b, blobstore.Options{PartSize: 5 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			repo, _ := reference.WithName("team/app")
			for _, size := range []int{1000, 12 << 20} {
				w, err := st.Repository(repo).Create(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				content := bytes.Repeat([]byte{byte(size)}, size)
				if _, err := w.ReadFrom(bytes.NewReader(content)); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Commit(t.Context(), v1.Descriptor{Digest: digest.FromBytes(content)}); err != nil {
					t.Fatal(err)
				}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			seen := map[driver.Use]int{}
			for key, got := range b.uses {
				want := driver.UseOther
				switch {
				case strings.Contains(key, "/blobs/sha256/"):
					want = driver.UseBlob
				case strings.Contains(key, "/_uploads/") && strings.Contains(key, "/p/"):
					want = driver.UsePiece
				}
				if seen[got]++; got != want {
					t.Errorf("%s is written for use %d, want %d", key, got, want)
				}
			}
			if seen[driver.UseBlob] != 2 || seen[driver.UsePiece] < 2 || seen[driver.UseOther] < 3 {
				t.Errorf("objects per use: %v", seen)
			}
		})
	}
}
