package blobstore_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/internal/friend"
	"github.com/blobdock/blobdock/redirect"
)

// TestAnnounced pulls blobs whose sizes a manifest has told: one that is sent to the store
// costs a read of its link, and a small one that is answered here a read of both. A HEAD looks
// for the blob, and so does a GET of a large one.
func TestAnnounced(t *testing.T) {
	inner, p := newBucket(t), content(1, 1000)
	_, d := serving(t, inner, blobstore.Options{}, p)
	link, both := map[driver.Op]int64{driver.OpOpen: 1}, map[driver.Op]int64{driver.OpOpen: 1, driver.OpStat: 1}
	streamed := map[driver.Op]int64{driver.OpOpen: 2}
	for _, tt := range []struct {
		name   string
		size   int64 // as announced
		sign   redirect.Signer
		o      blobstore.Options
		method string
		header map[string]string
		status int
		want   map[driver.Op]int64
		again  map[driver.Op]int64 // the second time
	}{
		{"redirect", 1000, signed, blobstore.Options{}, http.MethodGet, nil, http.StatusTemporaryRedirect, link, nil},
		{"wrong size", 7, signed, blobstore.Options{}, http.MethodGet, nil, http.StatusTemporaryRedirect, link, nil},
		{"small", 1000, signed, blobstore.Options{Redirect: redirect.Policy{MinSize: 1001}}, http.MethodGet, nil, http.StatusOK, streamed, link},
		{"small, said to be large", 5000, signed, blobstore.Options{Redirect: redirect.Policy{MinSize: 1001}}, http.MethodGet, nil, http.StatusTemporaryRedirect, link, nil},
		{"HEAD", 1000, signed, blobstore.Options{}, http.MethodHead, nil, http.StatusOK, map[driver.Op]int64{driver.OpList: 1, driver.OpOpen: 1, driver.OpStat: 1}, both},
		{"range", 1000, signed, blobstore.Options{}, http.MethodGet, map[string]string{"Range": "bytes=0-9,20-29"}, http.StatusPartialContent, streamed, link},
		{"unmet condition", 1000, signed, blobstore.Options{}, http.MethodGet, map[string]string{"If-None-Match": `"` + d.String() + `"`}, http.StatusNotModified, streamed, nil},
		{"nothing signs", 1000, nil, blobstore.Options{}, http.MethodGet, nil, http.StatusOK, streamed, link},
		{"signing fails", 7, func(context.Context, driver.SignRequest) (driver.SignedURL, error) {
			return driver.SignedURL{}, driver.Denied
		},
			blobstore.Options{}, http.MethodGet, nil, http.StatusOK, map[driver.Op]int64{driver.OpOpen: 3, driver.OpStat: 1}, link},
		{"nothing signs, said to be large", 1 << 20, nil, blobstore.Options{}, http.MethodGet, nil, http.StatusOK, map[driver.Op]int64{driver.OpOpen: 2, driver.OpStat: 1}, link},
		{"no cache", 1000, signed, blobstore.Options{LookupTTL: -1}, http.MethodGet, nil, http.StatusTemporaryRedirect, link, link},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls meter.Counter
			tt.o.PartSize, tt.o.MemoryBudget, tt.o.Log = 2<<10, 1<<20, slog.New(slog.DiscardHandler)
			s, err := blobstore.New(signs{meter.Wrap(inner, calls.Observe), tt.sign}, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			friend.Of(s).Announce([]v1.Descriptor{{Digest: d, Size: tt.size}})
			repo := newRepository(t, s, "team/app")
			for _, want := range []map[driver.Op]int64{tt.want, tt.again} {
				res := serve(t, repo, d, tt.method, tt.header)
				if res.StatusCode != tt.status {
					t.Errorf("status %d, want %d", res.StatusCode, tt.status)
				}
				if got := requests(&calls); !maps.Equal(got, want) {
					t.Errorf("requests %v, want %v", got, want)
				}
				if got, err := io.ReadAll(res.Body); tt.status == http.StatusOK && tt.method == http.MethodGet && (err != nil || !bytes.Equal(got, p)) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
}

// TestAnnouncedElsewhere asks for a blob that a manifest names, in a repository that does not
// have it. What was only assumed to be there is no answer to who wants to know.
func TestAnnouncedElsewhere(t *testing.T) {
	inner, p := newBucket(t), content(1, 1000)
	_, d := serving(t, inner, blobstore.Options{}, p)
	s := newStore(t, signs{inner, signed})
	friend.Of(s).Announce([]v1.Descriptor{{Digest: d, Size: 1000}})
	req := request(http.MethodGet, "/", 0)
	if _, err := newRepository(t, s, "other").LookupFor(req, friend.Of(s).Request(req), d); err != distribution.ErrBlobUnknown {
		t.Errorf("without a link: %v", err)
	}
	repo := newRepository(t, s, "team/app")
	if err := inner.Delete(t.Context(), blobKey(d), driver.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if res := serve(t, repo, d, http.MethodGet, nil); res.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("status %d, want a redirect", res.StatusCode)
	}
	if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
		t.Errorf("Stat of a link that leads nowhere: %v", err)
	}
	if _, there := friend.Of(s).CachedBlob(t.Context(), blobKey(d)); there {
		t.Error("a blob that nobody has looked for is said to be there")
	}
}

// packs is a bucket that another tool has written, with a Content-Encoding for everything.
type packs struct{ driver.Bucket }

func (b packs) Stat(ctx context.Context, key string) (driver.Object, error) {
	obj, err := b.Bucket.Stat(ctx, key)
	obj.ContentEncoding = "gzip"
	return obj, err
}

func (b packs) Open(ctx context.Context, key string, span driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	r, err := b.Bucket.Open(ctx, key, span, o)
	if err == nil && strings.HasSuffix(key, "/link") {
		r.Object.ContentEncoding = "gzip"
	}
	return r, err
}

// TestAnnouncedEncoded streams a blob whose link is packed, as it will be packed itself.
func TestAnnouncedEncoded(t *testing.T) {
	inner, p := newBucket(t), content(1, 1000)
	_, d := serving(t, inner, blobstore.Options{}, p)
	s := newStore(t, signs{packs{inner}, signed})
	friend.Of(s).Announce([]v1.Descriptor{{Digest: d, Size: 1000}})
	if res := serve(t, newRepository(t, s, "team/app"), d, http.MethodGet, nil); res.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200", res.StatusCode)
	}
}

// TestAnnouncedBreaks has the connection break that a small blob comes by. The pull goes on
// as it does for a blob that is looked for first.
func TestAnnouncedBreaks(t *testing.T) {
	p := content(1, 1000)
	inner := newBucket(t)
	_, d := serving(t, inner, blobstore.Options{}, p)
	s := newStore(t, breaking(inner, 100, 1))
	friend.Of(s).Announce([]v1.Descriptor{{Digest: d, Size: 1000}})
	res := serve(t, newRepository(t, s, "team/app"), d, http.MethodGet, nil)
	if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, p) {
		t.Errorf("status %d, %d bytes, %v", res.StatusCode, len(got), err)
	}
}

// TestAnnouncedUnderAnotherDigest pulls a blob that an old link finds under another digest,
// while a broken upload has left an object without a byte under its own. A manifest says that
// it is small.
func TestAnnouncedUnderAnotherDigest(t *testing.T) {
	inner, p := newBucket(t), content(1, 100<<10)
	_, target := serving(t, inner, blobstore.Options{}, p)
	d := digest.SHA512.FromBytes(p)
	put(t, inner, blobKey(d), nil)
	put(t, inner, linkKey("team/app", d), []byte(target))
	s := newStore(t, inner)
	friend.Of(s).Announce([]v1.Descriptor{{Digest: d, Size: 7}})
	res := serve(t, newRepository(t, s, "team/app"), d, http.MethodGet, nil)
	if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, p) {
		t.Errorf("status %d, %d bytes, %v", res.StatusCode, len(got), err)
	}
}
