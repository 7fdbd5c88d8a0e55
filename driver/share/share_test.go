package share_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/drivertest"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
	"github.com/blobdock/blobdock/driver/share"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(testing.TB) driver.Bucket { return share.Wrap(mem.New()) }})
}

func put(t testing.TB, b driver.Bucket, key, text string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func get(ctx context.Context, b driver.Bucket, key string) (string, error) {
	rd, err := b.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return "", err
	}
	defer rd.Close()
	p, err := io.ReadAll(rd)
	if err == nil && rd.Object.Size != int64(len(p)) {
		err = fmt.Errorf("%d bytes of %d", len(p), rd.Object.Size)
	}
	return string(p), err
}

// slowly is a bucket whose calls take a second before and after they are carried out.
func slowly(b driver.Bucket) driver.Bucket {
	return driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error {
		time.Sleep(time.Second)
		err := next(ctx)
		time.Sleep(time.Second)
		return errors.Join(err, ctx.Err())
	})
}

// TestCrowd costs two requests of each kind, whatever they are answered.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		put(t, m, "small", "text")
		put(t, m, "large", strings.Repeat("x", 65<<10))
		put(t, m, "empty", "")
		for want, ask := range map[string]func(driver.Bucket) error{
			"open 2\n": func(b driver.Bucket) error {
				got, err := get(t.Context(), b, "small")
				if err == nil && got != "text" {
					err = fmt.Errorf("read %q", got)
				}
				return err
			},
			"open  2\n": func(b driver.Bucket) error {
				_, err := get(t.Context(), b, "empty")
				return err
			},
			"open (not found) 2\n": func(b driver.Bucket) error {
				if _, err := get(t.Context(), b, "absent"); !errors.Is(err, driver.NotFound) {
					return fmt.Errorf("absent: %w", err)
				}
				return nil
			},
			"stat 2\n": func(b driver.Bucket) error {
				o, err := b.Stat(t.Context(), "small")
				if err == nil && o.Size != 4 {
					err = fmt.Errorf("%+v", o)
				}
				return err
			},
		} {
			var calls meter.Counter
			b := share.Wrap(meter.Wrap(slowly(m), calls.Observe))
			var crowd sync.WaitGroup
			for range 1000 {
				crowd.Go(func() {
					if err := ask(b); err != nil {
						t.Error(err)
					}
				})
			}
			crowd.Wait()
			if want = strings.ReplaceAll(want, "  ", " "); calls.String() != want {
				t.Errorf("a thousand cost\n%swant\n%s", &calls, want)
			}
		}
		// What is not small is each caller's own.
		b := share.Wrap(slowly(m))
		var crowd sync.WaitGroup
		for range 3 {
			crowd.Go(func() {
				if got, err := get(t.Context(), b, "large"); len(got) != 65<<10 || err != nil {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
		crowd.Wait()
	})
}

// TestAfterCall is answered by a request that began after the call: what was written before is seen.
func TestAfterCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		b := share.Wrap(slowly(m))
		var last atomic.Int64
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 20 {
					before := last.Load()
					got, err := get(t.Context(), b, "key")
					var n int64
					if err == nil {
						_, err = fmt.Sscan(got, &n)
					}
					if errors.Is(err, driver.NotFound) && before == 0 {
						err = nil
					}
					if n < before || err != nil {
						t.Errorf("read %d, %v, after %d was written", n, err, before)
					}
					time.Sleep(300 * time.Millisecond)
				}
			})
		}
		for n := range int64(60) {
			put(t, m, "key", fmt.Sprint(n+1))
			last.Store(n + 1)
			time.Sleep(700 * time.Millisecond)
		}
		all.Wait()
	})
}

// TestOthersGiveUp has some of a crowd hang up at any time, the one that sends among them, and some
// requests fail: nobody else is concerned.
func TestOthersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mem.New()
		put(t, m, "key", "text")
		slow := slowly(m)
		b := share.Wrap(slow)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 37 * time.Millisecond)
				ctx := t.Context()
				if i%3 > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i%11)*400*time.Millisecond)
					defer cancel()
				}
				got, err := get(ctx, b, "key")
				if ctx.Err() == nil && (got != "text" || err != nil) {
					t.Errorf("%d: %q, %v", i, got, err)
				}
				if ctx.Err() != nil && err != nil && !errors.Is(err, ctx.Err()) {
					t.Errorf("%d: %v, want %v", i, err, ctx.Err())
				}
			})
		}
		all.Wait()
		// Nothing is left under way.
		if got, err := get(t.Context(), b, "key"); got != "text" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}
