package tarsum_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/layers/tarsum"
)

var (
	_ io.ReadSeekCloser = tarsum.Layer(nil)
	_ io.WriteCloser    = tarsum.LayerUpload(nil)
)

const repo = "team/app"

// part is the size of an upload's first pieces.
const part = 5 << 20

func newBucket() driver.Bucket { return mem.NewWith(mem.Imitations()["minio"]) }

func newStore(t testing.TB, b driver.Bucket) *blobstore.Store {
	t.Helper()
	s, err := blobstore.New(b, blobstore.Options{
		Secret: []byte("secret"), Log: slog.New(slog.DiscardHandler), PartSize: part, Retry: retry.Policy{Base: time.Millisecond, Total: 10 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// pushed is a layer to be pushed.
type pushed struct {
	content []byte
	digest  digest.Digest
	tarSum  string
}

func pushedOf(t testing.TB, v tarsum.Version, content []byte) pushed {
	t.Helper()
	sum, err := tarsum.Compute(bytes.NewReader(content), v)
	if err != nil {
		t.Fatal(err)
	}
	return pushed{content, digest.FromBytes(content), sum}
}

func small(t testing.TB) pushed {
	t.Helper()
	return pushedOf(t, tarsum.Version1, archived(t, file(tar.Header{Name: "hello"}, "hello, world")))
}

// large is a layer of several pieces.
func large(t testing.TB) pushed {
	t.Helper()
	body := make([]byte, 2*part+100)
	_, _ = rand.Read(body)
	return pushedOf(t, tarsum.Version1, archived(t, file(tar.Header{Name: "random"}, string(body)), file(tar.Header{Name: "hello"}, "hello")))
}

func begin(t testing.TB, s tarsum.LayerService, tarSum string, content []byte) tarsum.LayerUpload {
	t.Helper()
	u, err := s.Upload(repo, tarSum)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	if n, err := u.Write(content); err != nil || n != len(content) {
		t.Fatalf("Write: %d, %v", n, err)
	}
	return u
}

func push(t testing.TB, s tarsum.LayerService, p pushed) tarsum.Layer {
	t.Helper()
	l, err := begin(t, s, p.tarSum, p.content).Finish(int64(len(p.content)), p.digest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// left are the keys in the bucket when s is closed, which tidies up.
func left(t testing.TB, b driver.Bucket, s *blobstore.Store) []string {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	var keys []string
	for e, err := range driver.List(context.Background(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.Key)
	}
	for u, err := range driver.ListUploads(context.Background(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, "upload of "+u.Key)
	}
	return keys
}

func TestUploadFinishFetch(t *testing.T) {
	for name, p := range map[string]pushed{
		"small": small(t), "large": large(t), "gzip": pushedOf(t, tarsum.Version1, compressed(t, small(t).content)),
		"version 0": pushedOf(t, tarsum.Version0, small(t).content), "dev": pushedOf(t, tarsum.VersionDev, small(t).content),
		"no bytes": pushedOf(t, tarsum.Version1, nil),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket()
			s := newStore(t, b)
			service := tarsum.New(t.Context(), s)
			before := time.Now().Add(-time.Minute)
			push(t, service, p)
			got, err := service.Fetch(repo, p.tarSum)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			if got.Name() != repo || got.TarSum() != p.tarSum || got.CreatedAt().Before(before) {
				t.Errorf("%s, %s, %s", got.Name(), got.TarSum(), got.CreatedAt())
			}
			if c, err := io.ReadAll(got); err != nil || !bytes.Equal(c, p.content) {
				t.Errorf("content: %d bytes, %v", len(c), err)
			}
			if at, err := got.Seek(0, io.SeekEnd); err != nil || at != int64(len(p.content)) {
				t.Errorf("Seek: %d, %v", at, err)
			}
			if keys := left(t, b, s); len(keys) != 3 {
				t.Errorf("%q are left, want blob and two links", keys)
			}
		})
	}
}

// TestLinkLiesWhereRegistriesHadIt compares the key and content of the link.
func TestLinkLiesWhereRegistriesHadIt(t *testing.T) {
	for version, folder := range map[tarsum.Version]string{tarsum.Version0: "v0", tarsum.Version1: "v1", tarsum.VersionDev: "dev"} {
		b := newBucket()
		p := pushedOf(t, version, small(t).content)
		push(t, tarsum.New(t.Context(), newStore(t, b)), p)
		_, hex, _ := strings.Cut(p.tarSum, ":")
		key := "docker/registry/v2/repositories/team/app/_layers/tarsum/" + folder + "/sha256/" + hex + "/link"
		rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rd)
		_ = rd.Close()
		if err != nil || digest.Digest(got) != p.digest {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}

func TestLayersAreBlobs(t *testing.T) {
	s := newStore(t, newBucket())
	p := small(t)
	push(t, tarsum.New(t.Context(), s), p)
	name, err := reference.WithName(repo)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Repository(name).Get(t.Context(), p.digest); err != nil || !bytes.Equal(got, p.content) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
	var all []digest.Digest
	if err := s.Repository(name).Enumerate(t.Context(), func(d digest.Digest) error { all = append(all, d); return nil }); err != nil || !slices.Equal(all, []digest.Digest{p.digest}) {
		t.Errorf("Enumerate: %q, %v", all, err)
	}
	// What deletes the blob deletes the layer.
	if err := s.Repository(name).Delete(t.Context(), p.digest); err != nil {
		t.Fatal(err)
	}
	if _, err := tarsum.New(t.Context(), s).Fetch(repo, p.tarSum); !errors.Is(err, tarsum.ErrLayerUnknown) {
		t.Errorf("Fetch: %v", err)
	}
}

func TestExists(t *testing.T) {
	service := tarsum.New(t.Context(), newStore(t, newBucket()))
	p := small(t)
	for _, want := range []bool{false, true} {
		if got, err := service.Exists(repo, p.tarSum); err != nil || got != want {
			t.Errorf("Exists: %t, %v; want %t", got, err, want)
		}
		if got, err := service.Exists("team/other", p.tarSum); err != nil || got {
			t.Errorf("in another repository: %t, %v", got, err)
		}
		if !want {
			push(t, service, p)
		}
	}
}

func TestFetchUnknown(t *testing.T) {
	if _, err := tarsum.New(t.Context(), newStore(t, newBucket())).Fetch(repo, small(t).tarSum); !errors.Is(err, tarsum.ErrLayerUnknown) {
		t.Errorf("Fetch: %v", err)
	}
}

func TestUploadOfALayerThatIsThere(t *testing.T) {
	b := newBucket()
	s := newStore(t, b)
	service := tarsum.New(t.Context(), s)
	p := small(t)
	push(t, service, p)
	if _, err := service.Upload(repo, p.tarSum); !errors.Is(err, tarsum.ErrLayerExists) {
		t.Errorf("Upload: %v", err)
	}
	if u, err := service.Upload("team/other", p.tarSum); err != nil {
		t.Errorf("to another repository: %v", err)
	} else if err := u.Close(); err != nil {
		t.Error(err)
	}
	if keys := left(t, b, s); len(keys) != 3 {
		t.Errorf("%q are left", keys)
	}
}

func TestSeveralUploadsOfOneLayer(t *testing.T) {
	service := tarsum.New(t.Context(), newStore(t, newBucket()))
	p := small(t)
	one, two := begin(t, service, p.tarSum, p.content), begin(t, service, p.tarSum, p.content)
	for _, u := range []tarsum.LayerUpload{one, two} {
		if _, err := u.Finish(int64(len(p.content)), p.digest); err != nil {
			t.Error(err)
		}
	}
}

func TestTarSumsOfUnknownVersions(t *testing.T) {
	b := newBucket()
	s := newStore(t, b)
	service := tarsum.New(t.Context(), s)
	hex := strings.Repeat("0", 64)
	for tarSum, want := range map[string]error{
		"tarsum.v2+sha256:" + hex:                     tarsum.ErrLayerTarSumVersionUnsupported,
		"tarsum.v1+sha512:" + hex + hex:               tarsum.ErrLayerTarSumVersionUnsupported,
		"tarsum.v1+md5:" + hex[:32]:                   tarsum.ErrLayerTarSumVersionUnsupported,
		"tarsumv1+sha256:" + hex:                      tarsum.ErrLayerTarSumVersionUnsupported,
		"sha256:" + hex:                               tarsum.ErrLayerInvalidTarsum,
		"":                                            tarsum.ErrLayerInvalidTarsum,
		"tarsum.v1+sha256":                            tarsum.ErrLayerInvalidTarsum,
		"tarsum.v1+sha256:":                           tarsum.ErrLayerInvalidTarsum,
		"tarsum.v1+sha256:" + hex[1:]:                 tarsum.ErrLayerInvalidTarsum,
		"tarsum.v1+sha256:" + hex + "00":              tarsum.ErrLayerInvalidTarsum,
		"tarsum.v1+sha256:../" + hex[3:]:              tarsum.ErrLayerInvalidTarsum,
		"tarsum.v1+sha256:" + strings.Repeat("A", 64): tarsum.ErrLayerInvalidTarsum,
	} {
		calls := map[string]error{}
		_, calls["Exists"] = service.Exists(repo, tarSum)
		_, calls["Fetch"] = service.Fetch(repo, tarSum)
		_, calls["Upload"] = service.Upload(repo, tarSum)
		_, calls["Resume"] = service.Resume(repo, tarSum, "uuid")
		for name, err := range calls {
			if !errors.Is(err, want) {
				t.Errorf("%s(%q): %v, want %v", name, tarSum, err, want)
			}
		}
	}
	if keys := left(t, b, s); len(keys) != 0 {
		t.Errorf("%q are left", keys)
	}
}

func TestRepositoryWithNoName(t *testing.T) {
	if _, err := tarsum.New(t.Context(), newStore(t, newBucket())).Upload("No/../Name", small(t).tarSum); !errors.Is(err, driver.Invalid) {
		t.Errorf("Upload: %v", err)
	}
}

func TestUploadTells(t *testing.T) {
	p := small(t)
	u := begin(t, tarsum.New(t.Context(), newStore(t, newBucket())), p.tarSum, p.content[:7])
	if u.Name() != repo || u.TarSum() != p.tarSum || u.UUID() == "" || u.Offset() != 7 || time.Since(u.StartedAt()) > time.Minute {
		t.Errorf("%s, %s, %s, %d, %s", u.Name(), u.TarSum(), u.UUID(), u.Offset(), u.StartedAt())
	}
}

// TestResume has a layer sent in three parts, each to another process.
func TestResume(t *testing.T) {
	for name, p := range map[string]pushed{"small": small(t), "large": large(t), "gzip": pushedOf(t, tarsum.Version1, compressed(t, large(t).content))} {
		for _, which := range []string{"last", "first"} {
			t.Run(name+", by its "+which+" UUID", func(t *testing.T) {
				b := newBucket()
				u := begin(t, tarsum.New(t.Context(), newStore(t, b)), p.tarSum, nil)
				uuid := u.UUID()
				var last *blobstore.Store
				for i := range 3 {
					from, to := len(p.content)*i/3, len(p.content)*(i+1)/3
					if u.Offset() != int64(from) {
						t.Fatalf("Offset %d, want %d", u.Offset(), from)
					}
					if _, err := u.Write(p.content[from:to]); err != nil {
						t.Fatal(err)
					}
					if err := u.Close(); err != nil {
						t.Fatal(err)
					}
					if which == "last" {
						uuid = u.UUID()
					}
					last = newStore(t, b)
					var err error
					if u, err = tarsum.New(t.Context(), last).Resume(repo, p.tarSum, uuid); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := u.Finish(int64(len(p.content)), p.digest); err != nil {
					t.Fatal(err)
				}
				if keys := left(t, b, last); len(keys) != 3 {
					t.Errorf("%q are left", keys)
				}
			})
		}
	}
}

func TestResumeUnknown(t *testing.T) {
	service := tarsum.New(t.Context(), newStore(t, newBucket()))
	p := small(t)
	u := begin(t, service, p.tarSum, p.content)
	if _, err := u.Finish(-1, p.digest); err != nil {
		t.Fatal(err)
	}
	cancelled := begin(t, service, strings.Replace(p.tarSum, ".v1", ".dev", 1), p.content)
	if err := cancelled.Cancel(); err != nil {
		t.Fatal(err)
	}
	for _, uuid := range []string{"", "unknown", cancelled.UUID()} {
		if _, err := service.Resume(repo, p.tarSum, uuid); !errors.Is(err, tarsum.ErrLayerUploadUnknown) {
			t.Errorf("Resume(%q): %v", uuid, err)
		}
	}
	other := begin(t, service, strings.Replace(p.tarSum, ".v1", "", 1), nil)
	if _, err := service.Resume("team/other", p.tarSum, other.UUID()); !errors.Is(err, tarsum.ErrLayerUploadUnknown) {
		t.Errorf("in another repository: %v", err)
	}
}

// TestFinishRefuses has content that is not what was said of it. Nothing is left of it.
func TestFinishRefuses(t *testing.T) {
	for size, p := range map[string]pushed{"small": small(t), "large": large(t)} {
		n := int64(len(p.content))
		text := bytes.Repeat([]byte("no archive. "), 100)
		for _, tt := range []struct {
			name    string
			content []byte
			tarSum  string
			size    int64
			digest  digest.Digest
			want    error
		}{
			{"shorter than said", p.content, p.tarSum, n + 1, p.digest, tarsum.ErrLayerInvalidLength},
			{"longer than said", p.content, p.tarSum, n - 1, p.digest, tarsum.ErrLayerInvalidLength},
			{"said to have no bytes", p.content, p.tarSum, 0, p.digest, tarsum.ErrLayerInvalidLength},
			{"ends early", p.content[:n/2], p.tarSum, n, p.digest, tarsum.ErrLayerInvalidLength},
			{"ends early, of any size", p.content[:n/2], p.tarSum, -1, p.digest, tarsum.ErrLayerInvalidChecksum},
			{"ends early, with the checksum of that", p.content[:n-1533], p.tarSum, -1, digest.FromBytes(p.content[:n-1533]), tarsum.ErrLayerInvalidTarsum},
			{"ends late", append(bytes.Clone(p.content), 0), p.tarSum, n, p.digest, tarsum.ErrLayerInvalidLength},
			{"ends late, of any size", append(bytes.Clone(p.content), 0), p.tarSum, -1, p.digest, tarsum.ErrLayerInvalidChecksum},
			{"another checksum", p.content, p.tarSum, n, digest.FromString("other"), tarsum.ErrLayerInvalidChecksum},
			{"another checksum of another hash", p.content, p.tarSum, n, digest.SHA512.FromString("other"), tarsum.ErrLayerInvalidChecksum},
			{"another tarsum", p.content, strings.Replace(p.tarSum, ".v1", "", 1), n, p.digest, tarsum.ErrLayerInvalidTarsum},
			{"no archive", text, p.tarSum, -1, digest.FromBytes(text), tarsum.ErrLayerInvalidTarsum},
		} {
			t.Run(size+", "+tt.name, func(t *testing.T) {
				b := newBucket()
				s := newStore(t, b)
				u := begin(t, tarsum.New(t.Context(), s), tt.tarSum, tt.content)
				if err := func() error { _, err := u.Finish(tt.size, tt.digest); return err }(); !errors.Is(err, tt.want) {
					t.Errorf("Finish: %v, want %v", err, tt.want)
				}
				if _, err := u.Finish(n, p.digest); !errors.Is(err, tarsum.ErrLayerClosed) {
					t.Errorf("Finish again: %v", err)
				}
				if keys := left(t, b, s); len(keys) != 0 {
					t.Errorf("%q are left", keys)
				}
			})
		}
	}
}

func TestFinishWithNoDigest(t *testing.T) {
	p := small(t)
	u := begin(t, tarsum.New(t.Context(), newStore(t, newBucket())), p.tarSum, p.content)
	for _, d := range []digest.Digest{"", "hello", "md5:5d41402abc4b2a76b9719d911017c592", digest.Digest(p.tarSum)} {
		if _, err := u.Finish(int64(len(p.content)), d); !errors.Is(err, tarsum.ErrLayerInvalidChecksum) {
			t.Errorf("Finish(%q): %v", d, err)
		}
	}
	if _, err := u.Finish(int64(len(p.content)), p.digest); err != nil {
		t.Error(err)
	}
}

// TestFinishAgain has each write and read of a Finish fail for good, and Finish called again.
func TestFinishAgain(t *testing.T) {
	p := large(t)
	for n := int64(1); ; n++ {
		var (
			calls  atomic.Int64
			armed  atomic.Bool
			failed atomic.Value
		)
		b := driver.Wrap(newBucket(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
			if armed.Load() && (c.Op == driver.OpPut || c.Op == driver.OpOpen || c.Op == driver.OpStat) {
				if calls.Add(1) == n {
					failed.Store(c.Op)
					return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Denied}
				}
			}
			return next(ctx)
		})
		service := tarsum.New(t.Context(), newStore(t, b))
		u := begin(t, service, p.tarSum, p.content)
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		u, err := service.Resume(repo, p.tarSum, u.UUID())
		if err != nil {
			t.Fatal(err)
		}
		armed.Store(true)
		_, err = u.Finish(int64(len(p.content)), p.digest)
		armed.Store(false)
		if calls.Load() < n {
			if n < 4 {
				t.Errorf("only %d calls", n-1)
			}
			return
		}
		if err == nil {
			continue // the call was not needed
		}
		if !errors.Is(err, driver.Denied) {
			t.Errorf("%v %d: %v", failed.Load(), n, err)
		}
		if _, err := u.Finish(int64(len(p.content)), p.digest); err != nil {
			t.Errorf("again after %v %d: %v", failed.Load(), n, err)
		}
	}
}

// TestBrokenBody has a body copied that breaks off: what had come is persisted.
func TestBrokenBody(t *testing.T) {
	p := small(t)
	service := tarsum.New(t.Context(), newStore(t, newBucket()))
	u := begin(t, service, p.tarSum, nil)
	broken := errors.New("connection reset")
	body := struct{ io.Reader }{io.MultiReader(bytes.NewReader(p.content[:100]), iotest.ErrReader(broken))}
	if _, err := io.Copy(u, body); !errors.Is(err, broken) {
		t.Fatalf("Copy: %v", err)
	}
	u, err := service.Resume(repo, p.tarSum, u.UUID())
	if err != nil {
		t.Fatal(err)
	}
	if u.Offset() != 100 {
		t.Errorf("Offset %d", u.Offset())
	}
	if _, err := u.Write(p.content[100:]); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Finish(int64(len(p.content)), p.digest); err != nil {
		t.Error(err)
	}
}

func TestUploadClosed(t *testing.T) {
	p := small(t)
	u := begin(t, tarsum.New(t.Context(), newStore(t, newBucket())), p.tarSum, p.content)
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write([]byte("more")); !errors.Is(err, tarsum.ErrLayerClosed) {
		t.Errorf("Write: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

// TestBlobsUnderTarSums has a link of an early registry, whose blobs are stored under tarsums.
func TestBlobsUnderTarSums(t *testing.T) {
	b := newBucket()
	p := small(t)
	_, hex, _ := strings.Cut(p.tarSum, ":")
	key := "docker/registry/v2/repositories/team/app/_layers/tarsum/v1/sha256/" + hex + "/link"
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader(p.tarSum), 0, int64(len(p.tarSum))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := tarsum.New(t.Context(), newStore(t, b)).Fetch(repo, p.tarSum); !errors.Is(err, driver.Corrupt) {
		t.Errorf("Fetch: %v", err)
	}
}
