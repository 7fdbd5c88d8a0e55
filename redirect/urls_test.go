package redirect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
)

var blob = driver.SignRequest{Method: "GET", Key: "blob"}

// signer numbers its URLs; they work for as long as is asked, or for life.
type signer struct {
	signed atomic.Int32
	life   time.Duration
	err    error
}

func (s *signer) sign(_ context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	if s.err != nil {
		return driver.SignedURL{}, s.err
	}
	life := r.Expires
	if s.life != 0 {
		life = s.life
	}
	return driver.SignedURL{URL: fmt.Sprintf("https://store/%s?%d", r.Key, s.signed.Add(1)), Expires: time.Now().Add(life)}, nil
}

func TestURLsAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &signer{}
		u := NewURLs(s.sign, 20*time.Minute, 2, slog.New(slog.DiscardHandler))
		get := func(key string) driver.SignedURL {
			r := blob
			r.Key = key
			got, err := u.Get(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.Expires); left < 10*time.Minute {
				t.Errorf("%s works for another %v, want half of 20 minutes at least", got.URL, left)
			}
			return got
		}
		first := get("a")
		time.Sleep(9*time.Minute + 59*time.Second)
		if again := get("a"); again.URL != first.URL {
			t.Errorf("got %s, want %s again", again.URL, first.URL)
		}
		time.Sleep(2 * time.Second)
		if again := get("a"); again.URL == first.URL {
			t.Error("a URL is handed out in its second half")
		}
		get("b")
		get("c") // a goes
		before := s.signed.Load()
		if get("a"); s.signed.Load() != before+1 {
			t.Error("more URLs are kept than asked for")
		}
	})
}

func TestSignedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &signer{}
		slow := func(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
			time.Sleep(time.Second)
			if ctx.Err() != nil {
				return driver.SignedURL{}, ctx.Err()
			}
			return s.sign(ctx, r)
		}
		u := NewURLs(slow, 0, 0, slog.New(slog.DiscardHandler))
		gone, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := u.Get(gone, blob); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who left: got %v", err)
			}
		})
		time.Sleep(time.Millisecond)
		for range 10 {
			wg.Go(func() {
				if _, err := u.Get(t.Context(), blob); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		cancel() // of the one that the others wait for
		wg.Wait()
		if n := s.signed.Load(); n != 1 {
			t.Errorf("signed %d times, want once", n)
		}
	})
}

// Credentials that end soon cut URLs short, which is told once in a while.
func TestShortLived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &signer{life: 4 * time.Minute}
		u := NewURLs(s.sign, 20*time.Minute, 10, slog.New(slog.NewTextHandler(&log, nil)))
		for range 3 {
			if _, err := u.Get(t.Context(), blob); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if n := s.signed.Load(); n != 2 {
			t.Errorf("signed %d times in three minutes, want 2: each URL serves for half of its life", n)
		}
		if n := strings.Count(log.String(), "life=4m0s"); n != 1 {
			t.Errorf("%d warnings, want 1:\n%s", n, log.String())
		}
	})
}

func TestFailureIsNotKept(t *testing.T) {
	s := &signer{err: driver.NewError(driver.OpSign, "blob", driver.Denied)}
	u := NewURLs(s.sign, 0, 0, slog.New(slog.DiscardHandler))
	if _, err := u.Get(t.Context(), blob); !errors.Is(err, driver.Denied) {
		t.Errorf("got %v, want %v", err, driver.Denied)
	}
	s.err = nil
	if _, err := u.Get(t.Context(), blob); err != nil {
		t.Errorf("after the failure: %v", err)
	}
}

func BenchmarkKeptURL(b *testing.B) {
	u := NewURLs((&signer{}).sign, 0, 0, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Get(b.Context(), blob); err != nil {
			b.Fatal(err)
		}
	}
}
