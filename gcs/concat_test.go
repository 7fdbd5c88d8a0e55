package gcs_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

// pieces puts n objects.
func pieces(t *testing.T, b driver.Bucket, n int) (sources []driver.Object, whole string) {
	t.Helper()
	for i := range n {
		text := fmt.Sprintf("piece %d;", i)
		obj, err := b.Put(t.Context(), fmt.Sprintf("pieces/%04d", i), section(text), driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sources, whole = append(sources, obj), whole+text
	}
	return sources, whole
}

// TestConcatTree is about what a concatenation costs, and that nothing stays.
func TestConcatTree(t *testing.T) {
	for _, tt := range []struct{ sources, requests int }{
		{1, 1}, {32, 1}, {33, 3}, {64, 3}, {1024, 33}, {1025, 36}, // 1025: 33 groups, 2 of those, the object
	} {
		for _, consume := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, consumed %t", tt.sources, consume), func(t *testing.T) {
				f := newFake(t, "bucket")
				b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
				sources, whole := pieces(t, b, tt.sources)
				f.requests.Store(0)
				var mu sync.Mutex
				var scratch []string
				f.before = func(_ http.ResponseWriter, r *http.Request) bool {
					if at, ok := strings.CutPrefix(r.URL.Path, "/storage/v1/b/bucket/o/"); ok && at != "key/compose" {
						mu.Lock()
						defer mu.Unlock()
						scratch = append(scratch, at)
					}
					return false
				}
				obj, err := b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "key", Sources: sources, DeleteSources: consume, Scratch: "tmp/x-"})
				f.before = nil
				if err != nil || obj.Size != int64(len(whole)) || obj.Version == "" || obj.Version != obj.ETag {
					t.Fatalf("Concat: %+v, %v", obj, err)
				}
				if got := f.requests.Load(); got != int64(tt.requests) {
					t.Errorf("%d requests, want %d", got, tt.requests)
				}
				for _, name := range scratch {
					if !strings.HasPrefix(name, "tmp/x-") {
						t.Errorf("the intermediate object %q has not the prefix", name)
					}
				}
				if got := content(t, b, "key"); got != whole {
					t.Errorf("content %.40q, want %.40q", got, whole)
				}
				want := tt.sources + 1
				if consume && tt.sources <= 32 {
					want = 1
				}
				if left := f.names("bucket"); len(left) != want {
					t.Errorf("%d objects are left, want %d", len(left), want)
				}
			})
		}
	}
}

// TestConcatFails fails each request in turn: no intermediate object stays, and the
// outcome is unknown for the last request alone.
func TestConcatFails(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for _, after := range []bool{false, true} {
			f := newFake(t, "bucket")
			b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
			sources, _ := pieces(t, b, 150) // 5 groups
			var mu sync.Mutex
			seen := 0
			f.before = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/compose") {
					return false
				}
				mu.Lock()
				seen++
				hit := seen == n
				mu.Unlock()
				if !hit {
					return false
				}
				if after {
					f.serve(httptest.NewRecorder(), r) // the reply is lost
				}
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
			_, err := b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "key", Sources: sources, DeleteSources: true})
			if driver.KindOf(err) != driver.Unavailable || driver.OutcomeUnknown(err) != (n == 6) {
				t.Errorf("request %d, after %t: %v", n, after, err)
			}
			for _, name := range f.names("bucket") {
				if !strings.HasPrefix(name, "pieces/") && (name != "key" || n < 6 || !after) {
					t.Errorf("request %d, after %t: left %q", n, after, name)
				}
			}
			if left := len(slices.DeleteFunc(f.names("bucket"), func(name string) bool { return name == "key" })); left != 150 {
				t.Errorf("request %d, after %t: %d of 150 sources are left", n, after, left)
			}
		}
	}
}

// TestConcatTidyHangs has a store that does not answer the removal of intermediate objects.
// The concatenation ends soon after its context has.
func TestConcatTidyHangs(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	sources, _ := pieces(t, b, 33)
	ctx, cancel := context.WithCancel(t.Context())
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/o/key/compose"):
			cancel()
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasSuffix(r.URL.Path, "/compose"):
			return false
		default:
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client goes away
			<-r.Context().Done()
		}
		return true
	}
	began := time.Now()
	_, err := b.Features().Concat(ctx, driver.ConcatRequest{Key: "key", Sources: sources})
	if took := time.Since(began); err == nil || took > 5*time.Second {
		t.Errorf("got %v after %v", err, took)
	}
}

func TestDeleteNotAfter(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: newKey(t).file, RedirectEndpoint: "https://elsewhere.example.com"})
	for i := range 10 {
		obj, err := b.Put(t.Context(), "a b/+key", section("x"), driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f.log, f.before = nil, nil
		notAfter := time.Now().Add(10*time.Second + time.Duration(i)*111*time.Millisecond)
		var q url.Values
		f.before = func(_ http.ResponseWriter, r *http.Request) bool { q = r.URL.Query(); return false }
		if err := b.Delete(t.Context(), obj.Key, driver.DeleteOptions{NotAfter: notAfter, IfVersion: obj.Version}); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("20060102T150405Z", q.Get("X-Goog-Date"))
		life, lifeErr := strconv.Atoi(q.Get("X-Goog-Expires"))
		end := at.Add(time.Duration(life) * time.Second)
		if err != nil || lifeErr != nil || end.After(notAfter) || notAfter.Sub(end) >= 2*time.Second || len(f.log) != 1 {
			t.Errorf("the signature expires %v before NotAfter, requests %q", notAfter.Sub(end), f.log)
		}
	}
}

// TestDeleteLate has a request arrive when its signature has expired.
func TestDeleteLate(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: newKey(t).file})
	if _, err := b.Put(t.Context(), "key", section("x"), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.before = func(http.ResponseWriter, *http.Request) bool { time.Sleep(2100 * time.Millisecond); return false }
	err := b.Delete(t.Context(), "key", driver.DeleteOptions{NotAfter: time.Now().Add(2 * time.Second)})
	if driver.KindOf(err) != driver.Invalid || len(f.names("bucket")) != 1 {
		t.Errorf("got %v, want it refused", err)
	}
}

// TestOutcomeUnknown has a store, or a proxy before it, answer 200 without a generation.
func TestOutcomeUnknown(t *testing.T) {
	for _, reply := range []string{"", "{}"} {
		f := newFake(t, "bucket")
		b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			if strings.Contains(r.URL.Path, "rewriteTo") && reply != "" {
				_, _ = io.WriteString(w, `{"done":true,"resource":{}}`)
				return true
			}
			_, _ = io.WriteString(w, reply)
			return true
		}
		ctx := t.Context()
		for op, do := range map[driver.Op]func() error{
			driver.OpPut: func() error { _, err := b.Put(ctx, "key", section("x"), driver.WriteOptions{}); return err },
			driver.OpCopy: func() error {
				_, err := b.Features().Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key"})
				return err
			},
			driver.OpConcat: func() error {
				_, err := b.Features().Concat(ctx, driver.ConcatRequest{Key: "key", Sources: []driver.Object{{Key: "src", Size: 1}}})
				return err
			},
		} {
			if err := do(); driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) {
				t.Errorf("%s, reply %q: got %v, want an unknown outcome", op, reply, err)
			}
		}
	}
}

// TestLostConcat breaks the connection instead of a reply.
func TestLostConcat(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	sources, _ := pieces(t, b, 2)
	f.before = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	_, err := b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "key", Sources: sources})
	if driver.KindOf(err) != driver.Unavailable || !driver.OutcomeUnknown(err) {
		t.Errorf("got %v, want Unavailable with an unknown outcome", err)
	}
}

// TestTooManyRequests checks that 429 is throttling whatever its reason, and which of it
// is of one key alone.
func TestTooManyRequests(t *testing.T) {
	for _, reason := range []string{"rateLimitExceeded", "backendError", "userRateLimitExceeded"} {
		f := newFake(t, "bucket")
		b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, func() (any, *refusal) {
				return nil, &refusal{429, reason, "The object bucket/key exceeded the rate limit"}
			})
			return true
		}
		ctx := t.Context()
		one := []driver.Object{{Key: "src", Size: 1}}
		for op, do := range map[driver.Op]func() error{
			driver.OpPut:         func() error { _, err := b.Put(ctx, "key", section("x"), driver.WriteOptions{}); return err },
			driver.OpDelete:      func() error { return b.Delete(ctx, "key", driver.DeleteOptions{}) },
			driver.OpDeleteBatch: func() error { return b.Features().DeleteBatch(ctx, driver.Refs("key", "other")) },
			driver.OpConcat: func() error {
				_, err := b.Features().Concat(ctx, driver.ConcatRequest{Key: "key", Sources: one})
				return err
			},
			driver.OpList: func() error { _, err := b.ListPage(ctx, driver.ListRequest{}); return err },
			driver.OpOpen: func() error { _, err := b.Open(ctx, "key", driver.Range{}, driver.ReadOptions{}); return err },
		} {
			keyOnly := reason == "rateLimitExceeded" && op != driver.OpList && op != driver.OpOpen && op != driver.OpDeleteBatch
			var e *driver.Error
			if err := do(); !errors.As(err, &e) || e.Kind != driver.Throttled || e.OutcomeUnknown || e.KeyOnly != keyOnly || keyOnly && e.RetryAfter != time.Second {
				t.Errorf("%s, %s: got %+v", reason, op, e)
			}
		}
	}
}

// TestConcatChecksum joins sources that are not what the caller sent, on a store that
// compares the sum, and on a server that does not and joins them.
func TestConcatChecksum(t *testing.T) {
	for _, n := range []int{2, 40} {
		for _, ignores := range []bool{false, true} {
			f := newFake(t, "bucket")
			f.ignoresSums = ignores
			b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
			sources, whole := pieces(t, b, n)
			crc := crc32.Checksum([]byte(whole), crc32.MakeTable(crc32.Castagnoli))
			r := driver.ConcatRequest{Key: "key", Sources: sources, CRC32C: &crc}
			f.requests.Store(0)
			if _, err := b.Features().Concat(t.Context(), r); err != nil {
				t.Fatalf("%d sources: %v", n, err)
			}
			if got, want := f.requests.Load(), int64(1+2*(n/32)); got != want {
				t.Errorf("%d sources: %d requests with the sum, want %d", n, got, want)
			}
			if err := b.Delete(t.Context(), "key", driver.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			f.buckets["bucket"]["pieces/0001"].data = []byte("piece ?;") // the generation is the same
			f.buckets["bucket"]["pieces/0001"].Crc32c = sum([]byte("piece ?;"))
			_, err := b.Features().Concat(t.Context(), r)
			if driver.KindOf(err) != driver.Corrupt || driver.OutcomeUnknown(err) {
				t.Errorf("%d sources, sums ignored %t: got %v, want %v", n, ignores, err, driver.Corrupt)
			}
			if left := f.names("bucket"); len(left) != n {
				t.Errorf("%d sources, sums ignored %t: left %q", n, ignores, left)
			}
		}
	}
}

// TestConcatTakesBackItsOwn has another writer replace the wrong object before it is
// deleted.
func TestConcatTakesBackItsOwn(t *testing.T) {
	f := newFake(t, "bucket")
	f.ignoresSums = true
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	sources, _ := pieces(t, b, 2)
	f.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete {
			f.before = nil
			if _, err := b.Put(t.Context(), "key", section("right"), driver.WriteOptions{}); err != nil {
				t.Error(err)
			}
		}
		return false
	}
	_, err := b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "key", Sources: sources, CRC32C: new(uint32)})
	if driver.KindOf(err) != driver.Corrupt {
		t.Errorf("got %v, want %v", err, driver.Corrupt)
	}
	if got := content(t, b, "key"); got != "right" {
		t.Errorf("the other writer's object has %q", got)
	}
}
