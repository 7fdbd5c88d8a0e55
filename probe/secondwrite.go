package probe

import (
	"context"
	"errors"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// held is how much longer than the first a second write takes that was throttled: stores that
// limit the writes of one key take one per second.
// https://developers.cloudflare.com/r2/platform/limits/
// https://cloud.google.com/storage/docs/objects#immutability
const held = 500 * time.Millisecond

// secondWrite writes a key twice within a second.
func secondWrite(ctx context.Context, p *run) []Result {
	throttled := false
	r := p.one(ctx, check{name: "second write", needs: "put", do: func(ctx context.Context, p *run) (string, error) {
		first, err := p.timedPut(ctx)
		if err != nil {
			return "", err
		}
		second, err := p.timedPut(ctx)
		throttled = errors.Is(err, driver.Throttled) || err == nil && second-first >= held
		switch {
		case throttled:
			return "to a key within a second is throttled: a push writes no key twice, and a tag that is moved again at once waits", nil
		case err != nil:
			return "", err
		}
		return "to a key within a second is taken at once", nil
	}})
	if throttled {
		r.Status = Advised
	}
	return []Result{r}
}

func (p *run) timedPut(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	_, err := p.put(ctx, p.key("twice"), content, driver.WriteOptions{})
	return time.Since(began), err
}
