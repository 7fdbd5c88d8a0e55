package layers_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/layers"
)

var (
	_ io.ReadSeekCloser = layers.Layer(nil)
	_ io.WriteSeeker    = layers.LayerUpload(nil)
	_ io.ReaderFrom     = layers.LayerUpload(nil)
	_ io.Closer         = layers.LayerUpload(nil)
)

func TestExists(t *testing.T) {
	s := newStore(t, newBucket(), blobstore.Options{})
	l := service(t, s)
	push(t, l, "hello")
	other := layers.New(t.Context(), s, named(t, "team/other"))
	for _, tt := range []struct {
		name    string
		service layers.LayerService
		d       digest.Digest
		want    bool
	}{
		{"pushed", l, digest.FromString("hello"), true},
		{"not pushed", l, digest.FromString("other"), false},
		{"pushed to another repository", other, digest.FromString("hello"), false},
		{"no digest", l, "hello", false},
	} {
		if got, err := tt.service.Exists(tt.d); err != nil || got != tt.want {
			t.Errorf("%s: %t, %v", tt.name, got, err)
		}
	}
}

func TestExistsWhileTheStoreFails(t *testing.T) {
	b := driver.Wrap(newBucket(), func(_ context.Context, c *driver.Call, _ func(context.Context) error) error {
		return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
	})
	if _, err := service(t, newStore(t, b, blobstore.Options{})).Exists(digest.FromString("hello")); !errors.Is(err, driver.Denied) {
		t.Errorf("Exists: %v", err)
	}
}

func TestFetch(t *testing.T) {
	l := service(t, newStore(t, newBucket(), blobstore.Options{}))
	before := time.Now().Add(-time.Minute)
	push(t, l, "hello, world")
	d := digest.FromString("hello, world")
	got, err := l.Fetch(d)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Name() != "team/app" || got.Digest() != d || got.Length() != 12 || got.CreatedAt().Before(before) {
		t.Errorf("%s, %s, %d, %s", got.Name(), got.Digest(), got.Length(), got.CreatedAt())
	}
	if err := iotest.TestReader(got, []byte("hello, world")); err != nil {
		t.Error(err)
	}
}

func TestFetchUnknown(t *testing.T) {
	l := service(t, newStore(t, newBucket(), blobstore.Options{}))
	d := digest.FromString("hello")
	_, err := l.Fetch(d)
	var unknown layers.ErrUnknownLayer
	if !errors.As(err, &unknown) || unknown.FSLayer.BlobSum != d || !errors.Is(err, distribution.ErrBlobUnknown) {
		t.Errorf("Fetch: %v", err)
	}
}

func TestLayersAreBlobs(t *testing.T) {
	s := newStore(t, newBucket(), blobstore.Options{})
	push(t, service(t, s), "hello")
	blobs := s.Repository(named(t, "team/app"))
	if got, err := blobs.Get(t.Context(), digest.FromString("hello")); err != nil || string(got) != "hello" {
		t.Errorf("Get: %q, %v", got, err)
	}
	desc, err := blobs.Put(t.Context(), "", []byte("blob"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := service(t, s).Exists(desc.Digest); !ok || err != nil {
		t.Errorf("Exists: %t, %v", ok, err)
	}
}

func TestLayerClosed(t *testing.T) {
	got := push(t, service(t, newStore(t, newBucket(), blobstore.Options{})), "hello")
	for range 2 {
		if err := got.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := got.Read(make([]byte, 1)); !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := got.Seek(0, io.SeekStart); !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("Seek: %v", err)
	}
}

func TestHandlerStreams(t *testing.T) {
	got := push(t, service(t, newStore(t, newBucket(), blobstore.Options{})), "hello, world")
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Range", "bytes=7-")
	h, err := got.Handler(req)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusPartialContent || w.Body.String() != "world" || w.Header().Get("Docker-Content-Digest") != got.Digest().String() {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestHandlerRedirects(t *testing.T) {
	sign := func(_ context.Context, r driver.SignRequest) (driver.SignedURL, error) {
		return driver.SignedURL{URL: "https://store.example.com/" + r.Key, Expires: time.Now().Add(r.Expires)}, nil
	}
	got := push(t, service(t, newStore(t, newBucket(), blobstore.Options{Signer: sign})), "hello, world")
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	h, err := got.Handler(req)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != http.StatusTemporaryRedirect || !strings.HasPrefix(w.Header().Get("Location"), "https://store.example.com/") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestHandlerFails(t *testing.T) {
	for _, tt := range []struct {
		kind driver.Kind
		want int
	}{{driver.NotFound, http.StatusNotFound}, {driver.Throttled, http.StatusServiceUnavailable}, {driver.Denied, http.StatusInternalServerError}} {
		fails := false
		b := driver.Wrap(newBucket(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if fails {
				return &driver.Error{Op: c.Op, Key: c.Key, Kind: tt.kind}
			}
			return next(ctx)
		})
		got := push(t, service(t, newStore(t, b, blobstore.Options{})), "hello, world")
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		h, err := got.Handler(req)
		if err != nil {
			t.Fatal(err)
		}
		fails = true
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != tt.want || strings.Contains(w.Body.String(), "hello") {
			t.Errorf("%s: %d %q", tt.kind, w.Code, w.Body)
		}
	}
}

func TestUpload(t *testing.T) {
	l := service(t, newStore(t, newBucket(), blobstore.Options{}))
	u := begin(t, l, "")
	if u.Name() != "team/app" || u.UUID() == "" || time.Since(u.StartedAt()) > time.Minute {
		t.Errorf("%s, %s, %s", u.Name(), u.UUID(), u.StartedAt())
	}
	if _, err := io.WriteString(u, "hello, "); err != nil {
		t.Fatal(err)
	}
	if n, err := u.ReadFrom(strings.NewReader("world")); err != nil || n != 5 {
		t.Fatalf("ReadFrom: %d, %v", n, err)
	}
	got, err := u.Finish(digest.FromString("hello, world"))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if p, err := io.ReadAll(got); err != nil || string(p) != "hello, world" {
		t.Errorf("%q, %v", p, err)
	}
}

// TestResume goes on with an upload in another process.
func TestResume(t *testing.T) {
	for _, name := range []string{"by its last UUID", "by its first UUID"} {
		t.Run(name, func(t *testing.T) {
			b := newBucket()
			u := begin(t, service(t, newStore(t, b, blobstore.Options{})), "")
			uuid := u.UUID()
			if _, err := io.WriteString(u, "hello, "); err != nil {
				t.Fatal(err)
			}
			if err := u.Close(); err != nil {
				t.Fatal(err)
			}
			if name == "by its last UUID" {
				uuid = u.UUID()
			}
			u, err := service(t, newStore(t, b, blobstore.Options{})).Resume(uuid)
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			if u.UUID() != uuid {
				t.Errorf("UUID %s, want %s", u.UUID(), uuid)
			}
			if at, err := u.Seek(0, io.SeekEnd); err != nil || at != 7 {
				t.Fatalf("Seek: %d, %v", at, err)
			}
			if _, err := io.WriteString(u, "world"); err != nil {
				t.Fatal(err)
			}
			if _, err := u.Finish(digest.FromString("hello, world")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestResumeUnknown(t *testing.T) {
	b := newBucket()
	s := newStore(t, b, blobstore.Options{})
	l := service(t, s)
	u := begin(t, l, "hello")
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	ended, err := l.Resume(u.UUID())
	if err != nil {
		t.Fatal(err)
	}
	if err := ended.Cancel(); err != nil {
		t.Fatal(err)
	}
	for _, uuid := range []string{"", "unknown", u.UUID()} {
		if _, err := l.Resume(uuid); !errors.Is(err, layers.ErrLayerUploadUnknown) {
			t.Errorf("Resume(%q): %v", uuid, err)
		}
	}
}

func TestSeekBackAndFinish(t *testing.T) {
	u := begin(t, service(t, newStore(t, newBucket(), blobstore.Options{})), "hello, ")
	if _, err := u.ReadFrom(strings.NewReader("moon")); err != nil {
		t.Fatal(err)
	}
	if at, err := u.Seek(7, io.SeekStart); err != nil || at != 7 {
		t.Fatalf("Seek: %d, %v", at, err)
	}
	if _, err := io.WriteString(u, "world"); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Finish(digest.FromString("hello, world")); err != nil {
		t.Error(err)
	}
}

func TestSeekToWhereNoStateIs(t *testing.T) {
	b := newBucket()
	s := newStore(t, b, blobstore.Options{})
	u := begin(t, service(t, s), "hello")
	if _, err := u.Seek(3, io.SeekStart); !errors.Is(err, blobstore.ErrUploadOffset) || !strings.Contains(err.Error(), "0, 5") {
		t.Errorf("Seek: %v", err)
	}
	if err := u.Cancel(); err != nil {
		t.Fatal(err)
	}
	wantNothingButTheEnd(t, b, s)
}

// wantNothingButTheEnd allows for the marker by which other processes see that an upload was
// cancelled. A sweep removes it.
func wantNothingButTheEnd(t *testing.T, b driver.Bucket, s *blobstore.Store) {
	t.Helper()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.Key, "/s/end") {
			t.Errorf("%s is left", e.Key)
		}
	}
	_ = s.Close()
}

func TestFinishWithAnotherDigest(t *testing.T) {
	for _, d := range []digest.Digest{digest.FromString("other"), digest.SHA512.FromString("other")} {
		b := newBucket()
		s := newStore(t, b, blobstore.Options{})
		u := begin(t, service(t, s), "hello")
		_, err := u.Finish(d)
		var invalid layers.ErrLayerInvalidDigest
		if !errors.As(err, &invalid) || invalid.Digest != d || invalid.Reason == nil {
			t.Fatalf("Finish: %v", err)
		}
		if _, err := u.Finish(digest.FromString("hello")); !errors.Is(err, layers.ErrLayerClosed) {
			t.Errorf("Finish again: %v", err)
		}
		wantNothing(t, b, s)
	}
}

func TestFinishWithNoDigest(t *testing.T) {
	u := begin(t, service(t, newStore(t, newBucket(), blobstore.Options{})), "hello")
	for _, d := range []digest.Digest{"", "hello", "sha256:5", "md5:5d41402abc4b2a76b9719d911017c592"} {
		if _, err := u.Finish(d); !errors.As(err, new(layers.ErrLayerInvalidDigest)) {
			t.Errorf("Finish(%q): %v", d, err)
		}
	}
	if _, err := u.Finish(digest.FromString("hello")); err != nil {
		t.Error(err)
	}
}

func TestFinishALayerThatIsThere(t *testing.T) {
	l := service(t, newStore(t, newBucket(), blobstore.Options{}))
	push(t, l, "hello")
	push(t, l, "hello")
}

func TestFinishAgainAfterTheStoreFailed(t *testing.T) {
	fails := false
	b := driver.Wrap(newBucket(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if fails && c.Op == driver.OpPut {
			return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
		}
		return next(ctx)
	})
	u := begin(t, service(t, newStore(t, b, blobstore.Options{})), "hello")
	fails = true
	if _, err := u.Finish(digest.FromString("hello")); !errors.Is(err, driver.Denied) {
		t.Fatalf("Finish: %v", err)
	}
	fails = false
	if _, err := u.Finish(digest.FromString("hello")); err != nil {
		t.Error(err)
	}
}

func TestBrokenBodyIsPersisted(t *testing.T) {
	l := service(t, newStore(t, newBucket(), blobstore.Options{}))
	u := begin(t, l, "")
	broken := errors.New("connection reset")
	if _, err := u.ReadFrom(io.MultiReader(strings.NewReader("hello, "), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Fatalf("ReadFrom: %v", err)
	}
	u, err := l.Resume(u.UUID())
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if at, err := u.Seek(0, io.SeekEnd); err != nil || at != 7 {
		t.Errorf("Seek: %d, %v", at, err)
	}
}

func TestUploadClosed(t *testing.T) {
	l := service(t, newStore(t, newBucket(), blobstore.Options{}))
	u := begin(t, l, "hello")
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(u, "more"); !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := u.ReadFrom(strings.NewReader("more")); !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("ReadFrom: %v", err)
	}
	if _, err := u.Seek(0, io.SeekEnd); !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("Seek: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestCancel(t *testing.T) {
	b := newBucket()
	s := newStore(t, b, blobstore.Options{})
	u := begin(t, service(t, s), "hello")
	if err := u.Cancel(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(u, "more"); !errors.Is(err, layers.ErrLayerClosed) {
		t.Errorf("Write: %v", err)
	}
	wantNothingButTheEnd(t, b, s)
}

// TestPUT has a handler of then: it resumes, seeks to the end, copies the body, and finishes.
func TestPUT(t *testing.T) {
	b := newBucket()
	s := newStore(t, b, blobstore.Options{PartSize: 5 << 20})
	content := strings.Repeat("hello, world", 1<<20)
	d := digest.FromString(content)
	uuid := begin(t, service(t, s), "").UUID()
	req := httptest.NewRequest(http.MethodPut, "/?digest="+d.String(), strings.NewReader(content))
	l := layers.New(blobstore.WithRequest(t.Context(), req), s, named(t, "team/app"))
	u, err := l.Resume(uuid)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if at, err := u.Seek(0, io.SeekEnd); err != nil || at != 0 {
		t.Fatalf("Seek: %d, %v", at, err)
	}
	if _, err := io.Copy(u, req.Body); err != nil {
		t.Fatal(err)
	}
	got, err := u.Finish(d)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if got.Length() != int64(len(content)) {
		t.Errorf("%d bytes", got.Length())
	}
}
