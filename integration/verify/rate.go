package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	// rateWrites are sent to one key at first, as fast as the store answers.
	rateWrites = 40
	// A store that throttles is sent a write every ratePause from then on, for rateTime, so
	// that its steady rate shows.
	ratePause = 50 * time.Millisecond
	rateTime  = 6 * time.Second

	notThrottled = "not throttled"
)

// putRate writes to one key in a row.
func (a *asker) putRate(ctx context.Context, key string) (finding, error) {
	var sent, burst, passed int // burst before the first throttled write, passed after it
	var last reply              // to a throttled write
	var since time.Time         // the first of them
	began := time.Now()
	for sent < rateWrites && since.IsZero() || !since.IsZero() && time.Since(since) < rateTime {
		_, err := a.Put(ctx, key+"/object", section(fmt.Appendf(nil, "%d", sent)), driver.WriteOptions{})
		sent++
		switch r := replyOf(err); {
		case r.throttled():
			if last = r; since.IsZero() {
				since = time.Now()
			}
			if err := wait(ctx, ratePause); err != nil {
				return finding{}, err
			}
		case err != nil:
			return finding{}, err
		case since.IsZero():
			burst++
		default:
			passed++
		}
	}
	if since.IsZero() {
		took := time.Since(began)
		return finding{found: notThrottled, detail: fmt.Sprintf("%d writes in %s, %s", sent, round(took), perSecond(sent, took))}, nil
	}
	return finding{
		found: "throttled", status: last.status, code: last.code,
		detail: fmt.Sprintf("the first %d of %d writes passed, in %s; then %s", burst, sent, round(since.Sub(began)), perSecond(passed, time.Since(since))),
	}, nil
}

func perSecond(n int, d time.Duration) string {
	return fmt.Sprintf("%.1f per second", float64(n)/d.Seconds())
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// deleteRate writes, deletes and writes one key without a pause.
func (a *asker) deleteRate(ctx context.Context, key string) (finding, error) {
	key += "/object"
	put := func() error {
		_, err := a.Put(ctx, key, section([]byte("text")), driver.WriteOptions{})
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"the first write", put},
		{"the deletion", func() error { return a.Delete(ctx, key, driver.DeleteOptions{}) }},
		{"the write after the deletion", put},
		{"the second deletion", func() error { return a.Delete(ctx, key, driver.DeleteOptions{}) }},
	} {
		err := step.do()
		switch r := replyOf(err); {
		case r.throttled():
			return finding{found: "throttled", detail: step.name + " is", status: r.status, code: r.code}, nil
		case err != nil:
			return finding{}, err
		}
	}
	return finding{found: notThrottled}, nil
}
