package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

// ErrIgnored tells that a store takes conditional writes and does not heed the
// condition.
var ErrIgnored = fmt.Errorf("the store ignores conditions: %w", driver.Unsupported)

// Conditions finds out by five requests whether b heeds the conditions of writes.
// ErrIgnored when it does not; nil when it does, or when its driver makes none.
// Another error, such as that writing is denied, says nothing about it.
func Conditions(ctx context.Context, b driver.Bucket) error {
	p := newRun(b)
	if p.features.Conds.Put&driver.AllConds != driver.AllConds {
		return nil
	}
	defer p.tidy(ctx)
	_, err := conditionalPut(ctx, p)
	return err
}

// ignored is nil for the error that a condition should have led to.
func ignored(what string, err error, want driver.Kind) error {
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s; where it speaks S3, set conditions=none", ErrIgnored, what)
	case errors.Is(err, want):
		return nil
	default:
		return err
	}
}

func conditionalPut(ctx context.Context, p *run) (string, error) {
	key := p.key("conditional")
	first, err := p.put(ctx, key, content, driver.WriteOptions{Cond: absent})
	if err != nil {
		return "", fmt.Errorf("If-None-Match where nothing is: %w", err)
	}
	_, err = p.put(ctx, key, content, driver.WriteOptions{Cond: absent})
	if err := ignored("If-None-Match overwrote an object", err, driver.Exists); err != nil {
		return "", err
	}
	match := driver.WriteOptions{Cond: driver.Cond{IfMatch: first.ETag}}
	if _, err = p.put(ctx, key, content+"again", match); err != nil {
		return "", fmt.Errorf("If-Match with the right ETag: %w", err)
	}
	_, err = p.put(ctx, key, content, match)
	if err := ignored("If-Match overwrote another version", err, driver.Mismatch); err != nil {
		return "", err
	}
	return "If-None-Match and If-Match are honoured", nil
}
