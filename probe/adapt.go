package probe

import (
	"context"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

// Adaptation is what Adapt found out about a store.
type Adaptation struct {
	// Options are those to open the store with, beside what is configured: profile,
	// conditions where the store does not honour all that its profile has, and part_copy
	// where it does not copy parts.
	Options driver.Overrides
	// Gaps are the reason for conditions.
	Gaps []Gap
	// NoPartCopy is the reason for part_copy.
	NoPartCopy error
}

// Adapt finds out what a store needs that is configured with less than it takes to know
// it: which profile it has, where none is named, whether it then copies parts, and which
// conditions of writes it honours. open opens the store with options beside the configured ones, of which the
// configured ones win. Adapt may open the store twice, and closes what it opened.
//
// The Options are good as far as they go, also where an error ends the search: a registry
// may be allowed to read only.
func Adapt(ctx context.Context, open func(context.Context, driver.Overrides) (driver.Bucket, error)) (a Adaptation, err error) {
	b, found, err := Open(ctx, open)
	a.Options = found
	if b == nil {
		return a, err
	}
	defer func() { _ = b.Close() }()
	if err != nil {
		return a, err
	}
	honoured, gaps, err := Conditions(ctx, b)
	if err != nil {
		return a, fmt.Errorf("conditional writes: %w", err)
	}
	if len(gaps) > 0 {
		a.Options["conditions"], a.Gaps = honoured.List(), gaps
	}
	if b.Features().Identify == nil && a.Options["profile"] == "" {
		return a, nil // the documents of the store tell
	}
	if a.NoPartCopy, err = PartCopy(ctx, b); err != nil {
		return a, fmt.Errorf("copy of a part: %w", err)
	}
	if a.NoPartCopy != nil {
		a.Options["part_copy"] = "false"
	}
	return a, nil
}

// Open opens a store, and once more with the profile that its replies tell where neither the
// configuration nor the endpoint's host name tell. found has that profile, or nothing. With
// an error the bucket is the one that the configuration alone opens, if it does.
func Open(ctx context.Context, open func(context.Context, driver.Overrides) (driver.Bucket, error)) (_ driver.Bucket, found driver.Overrides, err error) {
	found = driver.Overrides{}
	b, err := open(ctx, nil)
	if err != nil || b.Features().Identify == nil {
		return b, found, err
	}
	profile, err := b.Features().Identify(ctx)
	if err != nil {
		return b, found, fmt.Errorf("profile of the store: %w", err)
	}
	if profile == "" {
		return b, found, nil
	}
	adapted, err := open(ctx, driver.Overrides{"profile": profile})
	if err != nil {
		return b, found, fmt.Errorf("profile %s: %w", profile, err) // it wants more than is configured
	}
	_ = b.Close()
	found["profile"] = profile
	return adapted, found, nil
}
