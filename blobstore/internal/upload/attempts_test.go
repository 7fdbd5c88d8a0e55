package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/layout"
)

// TestAttempts has the writes to one key fail in passing: they are repeated as often as the
// policy allows.
func TestAttempts(t *testing.T) {
	content := bytesOf(3*testPart, 1)
	d := digest.FromBytes(content)
	works := map[string]struct {
		key string // a part of it
		run func(*testing.T, *Engine) error
	}{
		"small blob": {"/blobs/", func(t *testing.T, e *Engine) error {
			return put(t, e, post(t, e), digest.FromString("x"), []byte("x"))
		}},
		"link": {"/_layers/", func(t *testing.T, e *Engine) error {
			return put(t, e, post(t, e), digest.FromString("x"), []byte("x"))
		}},
		"pieces":  {"/blobs/", func(t *testing.T, e *Engine) error { return put(t, e, patch(t, e, post(t, e), content), d, nil) }},
		"one PUT": {"/blobs/", func(t *testing.T, e *Engine) error { return put(t, e, post(t, e), d, content) }},
		"replaced": {"/blobs/", func(t *testing.T, e *Engine) error {
			_, err := e.Push(t.Context(), Push{Digest: digest.FromString("x"), Size: 1, Content: strings.NewReader("x"), Replace: true})
			return err
		}},
		"file": {"root/file", func(t *testing.T, e *Engine) error {
			f, err := e.Append(t.Context(), "root/file", false)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.ReadFrom(bytes.NewReader([]byte("x"))); err != nil {
				t.Fatal(err)
			}
			return f.Commit(t.Context())
		}},
	}
	for _, store := range []string{"minio", "gcs"} {
		for _, kind := range []driver.Kind{driver.Unavailable, driver.Throttled} {
			for name, work := range works {
				for _, tt := range []struct {
					policy              retry.Policy
					unavailable, thrott int
				}{
					{retry.Policy{Attempts: 1}, 1, 1},
					{retry.Policy{Attempts: 3}, 3, 3},
					{retry.Policy{Attempts: 2, Throttled: 4}, 2, 4},
				} {
					t.Run(fmt.Sprintf("%s/%s/%v/%d-%d", store, name, kind, tt.policy.Attempts, tt.policy.Throttled), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							var tries atomic.Int32
							o := small(mem.Imitations()[store])
							o.KeyInterval = 0
							b := driver.Wrap(mem.NewWith(o), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
								if (c.Op == driver.OpPut || c.Op == driver.OpConcat || c.Op == driver.OpCompleteUpload) && strings.Contains(c.Key, work.key) && !layout.IsHidden(c.Key) {
									tries.Add(1)
									return &driver.Error{Op: c.Op, Key: c.Key, Kind: kind}
								}
								return next(ctx)
							})
							options := testOptions(memory.New(1 << 20))
							options.Retry = tt.policy
							e := closed(t, New(b, options))
							if err := work.run(t, e); !errors.Is(err, kind) {
								t.Errorf("%v, want %v", err, kind)
							}
							want := tt.unavailable
							if kind == driver.Throttled {
								want = tt.thrott
							}
							if int(tries.Load()) != want {
								t.Errorf("%d tries, want %d", tries.Load(), want)
							}
						})
					})
				}
			}
		}
	}
}
