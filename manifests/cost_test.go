package manifests_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/manifests"
)

// slow is a bucket whose calls take a second each, by the bubble's clock: what a caller needs is
// the seconds that it waits.
type slow struct {
	mu    sync.Mutex
	calls int
}

func (s *slow) wrap(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		s.mu.Lock()
		s.calls++
		s.mu.Unlock()
		time.Sleep(time.Second)
		return next(ctx)
	})
}

// TestCosts counts requests, and how often they wait for each other.
func TestCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.New()
		var s slow
		r, other := newReplica(t, s.wrap(b)), newReplica(t, s.wrap(b))
		cost := func(name string, waits, calls int, do func() error) {
			t.Helper()
			s.calls = 0
			from := time.Now()
			if err := do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := int(time.Since(from).Seconds()); got != waits || s.calls != calls {
				t.Errorf("%s: %d requests and %d waits, want %d and %d", name, s.calls, got, calls, waits)
			}
		}
		ctx := t.Context()
		push := func(r replica, m *manifests.Manifest) func() error {
			return func() error {
				repo := r.repository("a", deleting)
				if _, err := repo.Put(ctx, m, distribution.WithTag("v1")); err != nil {
					return err
				}
				return repo.Tags().Tag(ctx, "v1", m.Descriptor())
			}
		}
		byTag := func(r replica) func() error {
			return func() error {
				repo := r.repository("a", deleting)
				d, err := repo.Tags().Get(ctx, "v1")
				if err == nil {
					_, err = repo.Get(ctx, d.Digest)
				}
				return err
			}
		}
		m := r.image("a", nil)
		d := m.Descriptor().Digest
		// The manifest, its link, the tag's history; the tag.
		cost("PUT by tag", 2, 4, push(r, m))
		cost("GET by tag", 2, 3, byTag(other))
		cost("GET by tag again", 1, 1, byTag(other))
		cost("GET by tag of what was pushed here", 1, 1, byTag(r))
		cost("GET by digest", 0, 0, func() error { _, err := other.repository("a", deleting).Get(ctx, d); return err })
		time.Sleep(time.Hour)
		cost("GET by digest an hour later", 1, 1, func() error { _, err := other.repository("a", deleting).Get(ctx, d); return err })
		desc := m.Descriptor()
		referrer := r.image("a", func(m *v1.Manifest) { m.Subject = &desc })
		cost("PUT of a referrer by digest", 1, 3, func() error { _, err := r.repository("a", deleting).Put(ctx, referrer); return err })
		// The listing and the fallback tag; the referrer and its link.
		cost("referrers", 2, 4, func() error { _, _, err := other.repository("a", deleting).Referrers(ctx, d, "", ""); return err })
		cost("referrers again", 1, 2, func() error { _, _, err := other.repository("a", deleting).Referrers(ctx, d, "", ""); return err })
		cost("a page of tags", 1, 1, func() error { _, err := r.repository("a", deleting).Tags().All(ctx); return err })
		// The listing, the link of the tag that was it, the same once more, as the store has versions;
		// its deletion; a batch.
		cost("DELETE", 5, 5, func() error { return r.repository("a", deleting).Delete(ctx, d) })
		// Elsewhere the blobs are looked up first, all at the same time. A process that has just
		// begun lists the tombstones before.
		cost("PUT by tag on another replica", 5, 10, push(newReplica(t, s.wrap(b)), m))
	})
}

// TestRedirectCosts counts what a redirect costs that follows the pull of a manifest: the read
// of the link, in the process that took the manifest in as well as in another.
func TestRedirectCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := driver.WithFeatures(mem.New(), func(f *driver.Features) {
			f.Sign = func(_ context.Context, r driver.SignRequest) (driver.SignedURL, error) {
				return driver.SignedURL{URL: "https://store.example/" + r.Key, Expires: time.Now().Add(r.Expires)}, nil
			}
		})
		var s slow
		pusher, other := newReplica(t, s.wrap(b)), newReplica(t, s.wrap(b))
		m := pusher.pushed("a", nil)
		time.Sleep(time.Hour) // nothing counts any longer that the push has shown
		for name, r := range map[string]replica{"where it was pushed": pusher, "elsewhere": other} {
			repo := r.repository("a", deleting)
			if _, err := repo.Get(t.Context(), m.Descriptor().Digest); err != nil {
				t.Fatal(err)
			}
			for _, ref := range m.References() {
				s.calls = 0
				w := httptest.NewRecorder()
				if err := r.blobs("a").ServeBlob(t.Context(), w, httptest.NewRequest(http.MethodGet, "/", nil), ref.Digest); err != nil {
					t.Fatal(err)
				}
				if w.Code != http.StatusTemporaryRedirect || s.calls != 2 {
					t.Errorf("%s: status %d and %d calls, want a redirect, for a read and a signature", name, w.Code, s.calls)
				}
			}
		}
	})
}
