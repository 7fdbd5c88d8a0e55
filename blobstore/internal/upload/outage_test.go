package upload

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore/internal/memory"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/retry"
)

// TestShortOutage has a store fail all writes for a while from the first one of a PUT on,
// whether it executes them or not. The PUT succeeds, and the store is not hammered.
func TestShortOutage(t *testing.T) {
	for _, store := range []string{"minio", "r2", "gcs", "azure", "plain"} {
		for _, shape := range shapes {
			for _, outage := range []time.Duration{time.Nanosecond, 50 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second} {
				for _, executed := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/%v/%v", store, shape.name, outage, executed), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							o := small(mem.Imitations()[store])
							o.KeyInterval = 0
							var over time.Time // of the outage, which began then
							var armed bool
							tries := make(map[string]int)
							calls := make(chan struct{}, 1) // a mutex that synctest knows
							hooked := driver.Wrap(mem.NewWith(o), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
								calls <- struct{}{}
								if over.IsZero() && armed && c.Op.Changes() {
									over = time.Now().Add(outage)
								}
								fails := c.Op.Changes() && time.Now().Before(over)
								if fails {
									tries[fmt.Sprint(c.Op, " ", c.Key, " ", c.Part)]++
								}
								<-calls
								switch {
								case fails && executed:
									return lostReply(ctx, c, next)
								case fails:
									return &driver.Error{Op: c.Op, Key: c.Key, Kind: driver.Unavailable, Status: http.StatusServiceUnavailable, OutcomeUnknown: true}
								}
								return next(ctx)
							})
							e := closed(t, New(retry.Wrap(hooked, retry.Policy{}), testOptions(memory.New(1<<20))))
							id, content, rest := shape.send(t, e, post(t, e))
							time.Sleep(time.Minute) // cleanup
							armed = true
							if err := put(t, e, id, digest.FromBytes(content), rest); err != nil {
								t.Errorf("PUT: %v", err)
							}
							wantBlob(t, hooked, content)
							for call, n := range tries {
								if n > 7 {
									t.Errorf("%s: %d tries in %v", call, n, outage)
								}
							}
						})
					})
				}
			}
		}
	}
}

// TestConditionalConflict has completions and other conditional writes meet another writer
// of the same content, as Amazon S3 reports it: 409, and the upload is gone. The other
// writer publishes a little later. The PUT waits for it, and succeeds.
func TestConditionalConflict(t *testing.T) {
	for _, shape := range shapes {
		for _, later := range []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond} {
			for _, gone := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%v/%v", shape.name, later, gone), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						o := small(mem.Imitations()["minio"])
						o.KeyInterval = 0
						b := mem.NewWith(o)
						var over time.Time
						var unconditional, content []byte
						hooked := driver.Wrap(b, func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
							writes := slices.Contains([]driver.Op{driver.OpPut, driver.OpCompleteUpload, driver.OpCopy}, c.Op) && !c.Cond.IsZero()
							if !writes {
								if c.Op == driver.OpCompleteUpload {
									unconditional = append(unconditional, c.Key...)
								}
								return next(ctx)
							}
							if over.IsZero() {
								over = time.Now().Add(later)
								time.AfterFunc(later, func() {
									_, _ = b.Put(context.Background(), c.Key, section(string(content)), driver.WriteOptions{})
								})
							}
							if time.Now().After(over) {
								return next(ctx)
							}
							kind := driver.Unavailable
							if c.Op == driver.OpCompleteUpload {
								kind = driver.Mismatch
								if gone {
									abortAll(t, b, c.Key)
								}
							}
							return &driver.Error{Op: c.Op, Key: c.Key, Kind: kind, Status: http.StatusConflict, Code: "ConditionalRequestConflict"}
						})
						e := closed(t, New(retry.Wrap(hooked, retry.Policy{}), testOptions(memory.New(1<<20))))
						var id string
						var rest []byte
						id, content, rest = shape.send(t, e, post(t, e))
						if err := put(t, e, id, digest.FromBytes(content), rest); err != nil {
							t.Errorf("PUT: %v", err)
						}
						wantBlob(t, hooked, content)
						if len(unconditional) > 0 {
							t.Errorf("%s was written without a condition", unconditional)
						}
					})
				})
			}
		}
	}
}

// abortAll removes the uploads to key.
func abortAll(t *testing.T, b driver.Bucket, key string) {
	t.Helper()
	page, err := b.Features().Uploads.UploadsPage(t.Context(), driver.ListRequest{Prefix: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range page.Items {
		if err := b.Features().Uploads.AbortUpload(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}
