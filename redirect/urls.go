package redirect

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/blobdock/blobdock/driver"
)

// Signer makes a URL that opens an object without further credentials.
type Signer func(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error)

const (
	// DefaultExpiry is how long URLs work.
	DefaultExpiry = 20 * time.Minute
	// DefaultKept is how many URLs are kept for reuse, at about 1 KiB each.
	DefaultKept = 10_000

	// signTime bounds a signature that takes a request of its own.
	signTime = 30 * time.Second
)

// URLs signs, and hands out what it has signed again for the first half of a
// URL's life: a client always gets one that works for the other half. It is safe
// for concurrent use.
type URLs struct {
	sign   Signer
	expiry time.Duration
	log    *slog.Logger
	kept   *lru.Cache[driver.SignRequest, kept]
	turn   singleflight.Group
	warned warned
	now    func() time.Time
}

type kept struct {
	url   driver.SignedURL
	until time.Time // to be handed out
}

// NewURLs keeps up to size URLs that work for expiry; 0 is the default of each.
func NewURLs(sign Signer, expiry time.Duration, size int, log *slog.Logger) *URLs {
	if expiry == 0 {
		expiry = DefaultExpiry
	}
	if size == 0 {
		size = DefaultKept
	}
	cache, _ := lru.New[driver.SignRequest, kept](size) // fails for a size below 1 only
	return &URLs{sign: sign, expiry: expiry, log: log, kept: cache, now: time.Now}
}

// Get returns a URL for r, whose Expires is filled in here. However many ask for
// the same at once, it is signed once; each waits as long as its own ctx lets it.
func (u *URLs) Get(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	r.Expires = u.expiry
	if k, ok := u.kept.Get(r); ok && u.now().Before(k.until) {
		return k.url, nil
	}
	// The context of the one that signs is not that of all who wait.
	same := strings.Join([]string{r.Method, r.Key, r.ContentType, r.CacheControl, r.ContentDisposition}, "\n")
	flight := u.turn.DoChan(same, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signTime)
		defer cancel()
		return u.fetch(ctx, r)
	})
	select {
	case got := <-flight:
		if got.Err != nil {
			return driver.SignedURL{}, got.Err
		}
		return got.Val.(driver.SignedURL), nil
	case <-ctx.Done():
		return driver.SignedURL{}, driver.NewError(driver.OpSign, r.Key, ctx.Err())
	}
}

func (u *URLs) fetch(ctx context.Context, r driver.SignRequest) (driver.SignedURL, error) {
	began := u.now()
	signed, err := u.sign(ctx, r)
	if err != nil {
		return driver.SignedURL{}, err
	}
	life := signed.Expires.Sub(began)
	if life < u.expiry-time.Minute && u.warned.again(began, u.expiry) {
		u.log.WarnContext(ctx, "signed URLs end before redirect_expiry, with the credentials that sign them",
			"redirect_expiry", u.expiry, "life", life.Round(time.Second))
	}
	u.kept.Add(r, kept{url: signed, until: began.Add(life / 2)})
	return signed, nil
}

// warned keeps one warning from filling the log.
type warned struct {
	mu   sync.Mutex
	last time.Time
}

func (w *warned) again(now time.Time, every time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.last.IsZero() && now.Sub(w.last) < every {
		return false
	}
	w.last = now
	return true
}
