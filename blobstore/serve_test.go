package blobstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage/cache/memory"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/redirect"
)

// signs is a bucket whose store signs.
type signs struct {
	driver.Bucket
	sign redirect.Signer
}

func (b signs) Features() driver.Features {
	f := b.Bucket.Features()
	f.Sign = b.sign
	return f
}

func signed(_ context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	return driver.SignedURL{URL: "https://store.example.com/" + r.Key + "?signature", Expires: time.Now().Add(r.Expires)}, nil
}

// serving is a repository on b that holds p.
func serving(t testing.TB, b driver.Bucket, o blobstore.Options, p []byte) (*blobstore.Repository, digest.Digest) {
	t.Helper()
	o.PartSize, o.MemoryBudget, o.Log = 2<<10, 1<<20, slog.New(slog.DiscardHandler)
	s, err := blobstore.New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	repo := newRepository(t, s, "team/app")
	desc, err := repo.Put(t.Context(), "", p)
	if err != nil {
		t.Fatal(err)
	}
	return repo, desc.Digest
}

func serve(t testing.TB, repo *blobstore.Repository, d digest.Digest, method string, header map[string]string) *http.Response {
	t.Helper()
	req, w := httptest.NewRequest(method, "/", nil), httptest.NewRecorder()
	for k, v := range header {
		req.Header.Set(k, v)
	}
	if err := repo.ServeBlob(t.Context(), w, req, d); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return w.Result()
}

func TestServeReasons(t *testing.T) {
	fails := func(context.Context, driver.SignRequest) (driver.SignedURL, error) {
		return driver.SignedURL{}, driver.Denied
	}
	for _, tt := range []struct {
		name   string
		sign   redirect.Signer
		o      blobstore.Options
		method string
		want   redirect.Reason
		status int
	}{
		{"redirected", signed, blobstore.Options{}, http.MethodGet, redirect.Signed, http.StatusTemporaryRedirect},
		{"HEAD", signed, blobstore.Options{}, http.MethodHead, redirect.NotGet, http.StatusOK},
		{"off", signed, blobstore.Options{Redirect: redirect.Policy{Off: true}}, http.MethodGet, redirect.Off, http.StatusOK},
		{"repository", signed, blobstore.Options{Redirect: redirect.Policy{ExceptRepositories: []string{"team/*"}}}, http.MethodGet, redirect.Repository, http.StatusOK},
		{"no signature", nil, blobstore.Options{}, http.MethodGet, redirect.Unsigned, http.StatusOK},
		{"signing fails", fails, blobstore.Options{}, http.MethodGet, redirect.SigningFails, http.StatusOK},
		{"another signer", fails, blobstore.Options{Signer: signed}, http.MethodGet, redirect.Signed, http.StatusTemporaryRedirect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var reasons []redirect.Reason
			tt.o.Served = func(r redirect.Reason) { reasons = append(reasons, r) }
			tt.o.Retry = retry.Policy{Attempts: 1}
			repo, d := serving(t, signs{newBucket(t), tt.sign}, tt.o, []byte("content"))
			res := serve(t, repo, d, tt.method, nil)
			if res.StatusCode != tt.status || !slices.Equal(reasons, []redirect.Reason{tt.want}) {
				t.Errorf("status %d for %v, want %d for %s", res.StatusCode, reasons, tt.status, tt.want)
			}
			if got := res.Header.Get("Docker-Content-Digest"); got != d.String() {
				t.Errorf("Docker-Content-Digest %q, want %s", got, d)
			}
			if to := res.Header.Get("Location"); (to != "") != (tt.status == http.StatusTemporaryRedirect) {
				t.Errorf("Location %q", to)
			}
		})
	}
}

func TestServeHTTP(t *testing.T) {
	p := content(1, 10_000)
	repo, d := serving(t, newBucket(t), blobstore.Options{}, p)
	tag, other := `"`+d.String()+`"`, `"sha256:0"`
	for _, tt := range []struct {
		name   string
		method string
		header map[string]string
		status int
		want   []byte
	}{
		{"all", "GET", nil, 200, p},
		{"head", "HEAD", nil, 200, nil},
		{"range", "GET", map[string]string{"Range": "bytes=10-19"}, 206, p[10:20]},
		{"open range", "GET", map[string]string{"Range": "bytes=9000-"}, 206, p[9000:]},
		{"suffix", "GET", map[string]string{"Range": "bytes=-7"}, 206, p[len(p)-7:]},
		{"beyond", "GET", map[string]string{"Range": "bytes=10000-"}, 416, nil},
		{"unchanged", "GET", map[string]string{"If-None-Match": tag}, 304, nil},
		{"head unchanged", "HEAD", map[string]string{"If-None-Match": "*"}, 304, nil},
		{"changed", "GET", map[string]string{"If-None-Match": other}, 200, p},
		{"if range", "GET", map[string]string{"Range": "bytes=0-3", "If-Range": tag}, 206, p[:4]},
		{"if other range", "GET", map[string]string{"Range": "bytes=0-3", "If-Range": other}, 200, p},
		{"if match", "GET", map[string]string{"If-Match": other}, 412, nil},
	} {
		res := serve(t, repo, d, tt.method, tt.header)
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != tt.status {
			t.Errorf("%s: status %d (%v), want %d", tt.name, res.StatusCode, err, tt.status)
			continue
		}
		if tt.want != nil && (!bytes.Equal(got, tt.want) || res.Header.Get("Content-Length") != fmt.Sprint(len(tt.want))) {
			t.Errorf("%s: %d bytes announced as %s, want %d", tt.name, len(got), res.Header.Get("Content-Length"), len(tt.want))
		}
		if tt.method == "HEAD" && len(got) > 0 {
			t.Errorf("%s: has a body", tt.name)
		}
		if tt.status < 400 && (res.Header.Get("ETag") != tag || !strings.HasPrefix(res.Header.Get("Cache-Control"), "max-age=31536000")) {
			t.Errorf("%s: ETag %s, Cache-Control %s", tt.name, res.Header.Get("ETag"), res.Header.Get("Cache-Control"))
		}
	}
}

// requests of a bucket by verb.
func requests(c *meter.Counter) map[driver.Op]int64 {
	n := make(map[driver.Op]int64)
	for row, sums := range c.Reset() {
		n[row.Op] += sums.Calls
	}
	return n
}

func TestLookupsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := newBucket(t)
		var calls meter.Counter
		repo, d := serving(t, signs{meter.Wrap(bucket, calls.Observe), signed}, blobstore.Options{}, []byte("content"))
		absent := digest.FromString("absent")
		calls.Reset()
		want := func(what string, n map[driver.Op]int64) {
			t.Helper()
			if got := requests(&calls); !maps.Equal(got, n) {
				t.Errorf("%s: requests %v, want %v", what, got, n)
			}
		}
		lookup := map[driver.Op]int64{driver.OpOpen: 1, driver.OpStat: 1}

		serve(t, repo, d, http.MethodGet, nil)
		want("pull of what was just pushed", nil)
		repo.Forget(t.Context(), d)
		serve(t, repo, d, http.MethodGet, nil)
		want("cold pull", lookup)
		serve(t, repo, d, http.MethodGet, nil)
		want("warm pull", nil)
		time.Sleep(blobstore.DefaultLookupTTL + time.Second)
		serve(t, repo, d, http.MethodGet, nil)
		want("after the TTL", lookup)

		for range 2 {
			if _, err := repo.Stat(t.Context(), absent); err != distribution.ErrBlobUnknown {
				t.Errorf("absent: %v", err)
			}
			want("absent", lookup)
		}

		// Another process deletes it. It is served until the TTL is over.
		other := newRepository(t, newStore(t, bucket), "team/app")
		if err := other.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		serve(t, repo, d, http.MethodGet, nil)
		time.Sleep(blobstore.DefaultLookupTTL + time.Second)
		if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
			t.Errorf("deleted by another, after the TTL: %v", err)
		}
		// A deletion of one's own counts at once, and so does a push.
		if _, err := repo.Put(t.Context(), "", []byte("content")); err != nil {
			t.Fatal(err)
		}
		serve(t, repo, d, http.MethodGet, nil)
		if err := repo.Delete(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
			t.Errorf("deleted here: %v", err)
		}
	})
}

// A blob that was replaced under a kept lookup is read as what is there now, or
// not at all, and is looked up again.
func TestKeptLookupOfReplacedBlob(t *testing.T) {
	bucket, p := newBucket(t), content(2, 5000)
	repo, d := serving(t, bucket, blobstore.Options{}, p)
	serve(t, repo, d, http.MethodHead, nil)
	key := "docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
	replace := func(p []byte) {
		t.Helper()
		if _, err := bucket.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(p), 0, int64(len(p))), driver.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	replace(p) // the same bytes, another ETag
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
		t.Errorf("written again: %d bytes, %v", len(got), err)
	}
	replace(p[:100])
	if _, err := repo.Get(t.Context(), d); !errors.Is(err, driver.Mismatch) {
		t.Errorf("cut short: got %v, want %v", err, driver.Mismatch)
	}
	if desc, err := repo.Stat(t.Context(), d); err != nil || desc.Size != 100 {
		t.Errorf("looked up again: %d bytes, %v, want 100", desc.Size, err)
	}
}

// TestDescriptorsElsewhere keeps lookups in distribution's own cache.
func TestDescriptorsElsewhere(t *testing.T) {
	var calls meter.Counter
	p := []byte("content")
	cache := memory.NewInMemoryBlobDescriptorCacheProvider(100)
	repo, d := serving(t, meter.Wrap(newBucket(t), calls.Observe), blobstore.Options{Descriptors: cache}, p)
	repo.Forget(t.Context(), d)
	calls.Reset()
	for i, want := range []map[driver.Op]int64{{driver.OpOpen: 1, driver.OpStat: 1}, {}} {
		if desc, err := repo.Stat(t.Context(), d); err != nil || desc.Digest != d || desc.Size != int64(len(p)) {
			t.Errorf("look %d: %+v, %v", i, desc, err)
		}
		if got := requests(&calls); !maps.Equal(got, want) {
			t.Errorf("look %d: requests %v, want %v", i, got, want)
		}
	}
	if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
		t.Errorf("content: %q, %v", got, err)
	}
	if err := repo.Delete(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Stat(t.Context(), d); err != distribution.ErrBlobUnknown {
		t.Errorf("deleted: %v", err)
	}
}

// breaking is a bucket whose bodies break after some bytes, the first n times.
func breaking(b driver.Bucket, after int64, n int) driver.Bucket {
	var script fault.Script
	for i := range n {
		script = append(script, fault.Rule{Op: driver.OpOpen, Key: "*/blobs/*", Nth: i + 1, Where: fault.MidBody, Offset: after})
	}
	return fault.Wrap(b, script)
}

func TestReadAt(t *testing.T) {
	p := content(3, 20_000)
	for _, broken := range []int{0, 2} {
		repo, d := serving(t, breaking(newBucket(t), 1000, broken), blobstore.Options{}, p)
		r, err := repo.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		at := r.(io.ReaderAt)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				off := int64(i * 1900)
				got := make([]byte, 3000)
				n, err := at.ReadAt(got, off)
				want := p[off:min(off+3000, int64(len(p)))]
				if !bytes.Equal(got[:n], want) || (err != nil) != (len(want) < 3000) || err != nil && !errors.Is(err, io.EOF) {
					t.Errorf("at %d: %d bytes and %v, want %d", off, n, err, len(want))
				}
			})
		}
		// In between it is read from the start.
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p) {
			t.Errorf("all: %d bytes and %v", len(got), err)
		}
		wg.Wait()
		if n, err := at.ReadAt(make([]byte, 1), int64(len(p))); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %d, %v", n, err)
		}
		if _, err := at.ReadAt(make([]byte, 1), -1); !errors.Is(err, driver.Invalid) {
			t.Errorf("before the start: %v", err)
		}
		_ = r.Close()
		if _, err := at.ReadAt(make([]byte, 1), 0); err == nil {
			t.Error("a closed reader reads")
		}
	}
}

func TestReadAtGivesUp(t *testing.T) {
	repo, d := serving(t, breaking(newBucket(t), 0, 100), blobstore.Options{}, content(4, 5000))
	r, err := repo.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := r.(io.ReaderAt).ReadAt(make([]byte, 10), 7); n != 0 || !errors.Is(err, fault.ErrInjected) {
		t.Errorf("got %d bytes and %v", n, err)
	}
}

func TestChunks(t *testing.T) {
	p := content(5, 30_000)
	var calls meter.Counter
	repo, d := serving(t, meter.Wrap(breaking(newBucket(t), 500, 1), calls.Observe), blobstore.Options{}, p)
	blob, err := repo.Lookup(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	calls.Reset()
	at := func(off, n int64) driver.Range { return driver.Range{Off: off, Len: n} }
	for _, tt := range []struct {
		name     string
		ranges   []driver.Range
		requests int64 // without the one that breaks
		err      error
	}{
		{"none", nil, 0, nil},
		{"one that breaks", []driver.Range{at(100, 1000)}, 2, nil},
		{"without gaps", []driver.Range{at(0, 10), at(10, 20), at(30, 29_970)}, 1, nil},
		{"with gaps", []driver.Range{at(0, 10), at(20, 10), at(30, 1), at(1000, 1), at(2000, 1), at(3000, 1), at(4000, 1), at(29_999, 1)}, 7, nil},
		{"overlapping", []driver.Range{at(0, 10), at(9, 10)}, 0, driver.Invalid},
		{"unsorted", []driver.Range{at(100, 10), at(0, 10)}, 0, driver.Invalid},
		{"without length", []driver.Range{at(100, 0)}, 0, driver.Invalid},
		{"negative", []driver.Range{at(-1, 2)}, 0, driver.Invalid},
		{"beyond the end", []driver.Range{at(29_999, 2)}, 0, driver.OutOfRange},
	} {
		var got []driver.Range
		var failed error
		for c, err := range blob.Chunks(t.Context(), tt.ranges) {
			if failed = err; err != nil {
				break
			}
			got = append(got, c.Range)
			if !bytes.Equal(c.Data, p[c.Off:c.Off+c.Len]) {
				t.Errorf("%s: chunk at %d differs", tt.name, c.Off)
			}
		}
		if !errors.Is(failed, tt.err) || tt.err == nil && !slices.Equal(got, tt.ranges) {
			t.Errorf("%s: %v and %v, want %v and %v", tt.name, got, failed, tt.ranges, tt.err)
		}
		if n := requests(&calls)[driver.OpOpen]; n != tt.requests {
			t.Errorf("%s: %d requests, want %d", tt.name, n, tt.requests)
		}
	}
}

// One who stops early, or whose context ends, leaves nothing behind.
func TestChunksStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := fault.Wrap(newBucket(t), fault.Script{{Op: driver.OpOpen, Key: "*/blobs/*", Where: fault.Before, Delay: time.Second, Kind: driver.Denied, Nth: 3}})
		repo, d := serving(t, b, blobstore.Options{}, content(6, 30_000))
		blob, err := repo.Lookup(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		var ranges []driver.Range
		for off := int64(0); off < 30_000; off += 1000 {
			ranges = append(ranges, driver.Range{Off: off, Len: 10})
		}
		for range blob.Chunks(t.Context(), ranges) {
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		for _, err := range blob.Chunks(ctx, ranges) {
			if n++; n == 2 {
				cancel()
			}
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, driver.Denied) {
				t.Errorf("got %v", err)
			}
		}
		if n > 6 {
			t.Errorf("%d chunks came after the context had ended", n-2)
		}
		// synctest fails the test for a goroutine that is left.
	})
}
