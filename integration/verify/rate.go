package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
)

const (
	// rateWrites are sent to one key at first.
	rateWrites = 40
	// rateTime and rateMost bound what is sent to a store that throttles, so that its
	// steady rate shows.
	rateTime = 6 * time.Second
	rateMost = 400

	notThrottled = "not throttled"
)

// putRate writes to one key as fast as the store answers.
func (a *asker) putRate(ctx context.Context, key string) (finding, error) {
	var sent, throttled, burst int
	var last reply
	began := time.Now()
	for sent < rateWrites || throttled > 0 && sent < rateMost && time.Since(began) < rateTime {
		_, err := a.Put(ctx, key+"/object", section(fmt.Appendf(nil, "%d", sent)), driver.WriteOptions{})
		sent++
		switch r := replyOf(err); {
		case err == nil:
			if throttled == 0 {
				burst++
			}
		case r.throttled():
			throttled++
			last = r
		default:
			return finding{}, err
		}
	}
	took := time.Since(began)
	f := finding{found: notThrottled, detail: fmt.Sprintf("%d writes in %s, %s", sent, round(took), perSecond(sent, took))}
	if throttled > 0 {
		f = finding{found: "throttled", status: last.status, code: last.code}
		f.detail = fmt.Sprintf("%d of %d writes in %s were throttled; the first %d passed; %s passed on the whole",
			throttled, sent, round(took), burst, perSecond(sent-throttled, took))
	}
	return f, nil
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
		{"the deletion", func() error { return a.Delete(ctx, key) }},
		{"the write after the deletion", put},
		{"the second deletion", func() error { return a.Delete(ctx, key) }},
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
