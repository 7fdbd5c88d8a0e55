package blobstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
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
			tt.o.OnServed = func(r redirect.Reason) { reasons = append(reasons, r) }
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

// encodes is a bucket whose objects another tool has stored with a Content-Encoding.
type encodes struct {
	driver.Bucket
	until *atomic.Bool // they were stored anew
}

func (b encodes) Features() driver.Features {
	f := b.Bucket.Features()
	f.StatChecksums = func(ctx context.Context, key string) (driver.Object, error) {
		obj, err := b.Bucket.Features().StatChecksums(ctx, key)
		return b.encoded(obj), err
	}
	return f
}

func (b encodes) Stat(ctx context.Context, key string) (driver.Object, error) {
	obj, err := b.Bucket.Stat(ctx, key)
	return b.encoded(obj), err
}

func (b encodes) encoded(obj driver.Object) driver.Object {
	if !b.until.Load() && strings.HasSuffix(obj.Key, "/data") {
		obj.ContentEncoding = "gzip"
	}
	return obj
}

func (b encodes) Put(ctx context.Context, key string, body *io.SectionReader, o driver.WriteOptions) (driver.Object, error) {
	obj, err := b.Bucket.Put(ctx, key, body, o)
	if err == nil && strings.HasSuffix(key, "/data") {
		b.until.Store(true)
	}
	return obj, err
}

// TestServeEncoded serves a blob with a Content-Encoding: by no redirect, whichever way the
// blob was found. A push of its content, though the store has it, is stored anew.
func TestServeEncoded(t *testing.T) {
	inner, p := newBucket(t), content(1, 1000)
	var reasons []redirect.Reason
	o := blobstore.Options{OnServed: func(r redirect.Reason) { reasons = append(reasons, r) }}
	_, d := serving(t, inner, blobstore.Options{}, p)
	stored := new(atomic.Bool)
	o.PartSize, o.MemoryBudget, o.Log = 2<<10, 1<<20, slog.New(slog.DiscardHandler)
	s, err := blobstore.New(encodes{signs{inner, signed}, stored}, o)
	if err != nil {
		t.Fatal(err)
	}
	repo, other := newRepository(t, s, "team/app"), newRepository(t, s, "other")
	named, _ := reference.WithName("team/app")
	from, _ := reference.WithDigest(named, d)
	if _, err := other.Mount(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	for i, r := range []*blobstore.Repository{repo, repo, other} { // the second time it is cached
		res := serve(t, r, d, http.MethodGet, map[string]string{"Range": "bytes=10-19", "Accept-Encoding": "gzip"})
		got, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, p[10:20]) || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("GET %d: status %d, %q of encoding %q, %v", i, res.StatusCode, got, res.Header.Get("Content-Encoding"), err)
		}
	}
	if want := slices.Repeat([]redirect.Reason{redirect.Encoded}, 3); !slices.Equal(reasons, want) {
		t.Errorf("reasons %v, want %v", reasons, want)
	}
	if _, err := repo.Put(t.Context(), "", p); err != nil {
		t.Fatal(err)
	}
	if !stored.Load() {
		t.Error("a push of its content did not replace the blob")
	}
	if res := serve(t, repo, d, http.MethodGet, nil); res.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("after a push: status %d, want a redirect", res.StatusCode)
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
