package registry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/friend"
)

// upkeep are the middleware's options: what it does by itself while the registry runs.
type upkeep struct {
	sweep   sweeping
	collect collecting
	account accounting
	record  recording
}

// sections are the options that there are.
var sections = []string{"gc", "pulls", "sweep", "usage"}

func parseUpkeep(options map[string]any) (u upkeep, params map[string]*driver.Params, err error) {
	for name := range options {
		if !slices.Contains(sections, name) {
			return u, nil, fmt.Errorf("registry middleware blobdock: unknown option %q, valid ones are %s: %w", name, strings.Join(sections, ", "), driver.Invalid)
		}
	}
	params = make(map[string]*driver.Params)
	for _, name := range sections {
		if params[name], err = section(options, name); err != nil {
			return u, nil, err
		}
	}
	u.sweep = sweepingOf(params["sweep"])
	u.collect = collectingOf(params["gc"])
	u.account = accountingOf(params["usage"])
	u.record = recordingOf(params["pulls"])
	u.account.uploadAge = u.sweep.age
	for _, name := range sections {
		if err := params[name].Err(); err != nil {
			return u, nil, fmt.Errorf("registry middleware blobdock: %s: %w", name, err)
		}
	}
	return u, params, nil
}

// UpkeepSettings are the parameters of the middleware's options by their sections, and what they
// come to.
func UpkeepSettings(options map[string]any) (map[string][]driver.Setting, error) {
	_, params, err := parseUpkeep(options)
	if err != nil {
		return nil, err
	}
	settings := make(map[string][]driver.Setting)
	for name, p := range params {
		settings[name] = p.Settings()
	}
	return settings, nil
}

// section is an option that is a section.
func section(options map[string]any, name string) (*driver.Params, error) {
	q := make(map[string][]string)
	switch m := options[name].(type) {
	case nil:
		q["enabled"] = []string{"false"}
	case map[string]any:
		for k, v := range m {
			q[k] = []string{fmt.Sprint(v)}
		}
	case map[any]any: // what distribution's YAML reader makes
		for k, v := range m {
			q[fmt.Sprint(k)] = []string{fmt.Sprint(v)}
		}
	default:
		return nil, fmt.Errorf("registry middleware blobdock: %s is a %T, want a section: %w", name, m, driver.Invalid)
	}
	return driver.NewParams(q), nil
}

// periodically calls do until ctx ends, in one replica of all at a time and once in an interval. It
// begins after a random part of an hour, so that replicas started together don't all ask at
// once.
func periodically(ctx context.Context, store *blobstore.Store, name string, interval time.Duration, do func(context.Context) error) {
	next := time.NewTimer(rand.N(min(interval, time.Hour)))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		lease, err := friend.Of(store).RunWithLease(ctx, name, interval, do)
		if err != nil && ctx.Err() == nil {
			friend.Of(store).Log().WarnContext(ctx, name, "cause", err)
		}
		next.Reset(untilNext(interval, time.Since(lease.Began)))
	}
}

// untilNext is how long to wait when the last run began so long ago.
func untilNext(interval, ago time.Duration) time.Duration {
	left := interval - ago
	if left <= 0 || left > interval {
		left = interval // it goes on for so long, or failed; or clocks differ
	}
	return left + rand.N(interval/20+1)
}
