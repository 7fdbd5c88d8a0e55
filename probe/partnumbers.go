package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/blobdock/blobdock/driver"
)

// partNumbers tells which uploads the store completes that Amazon's documents leave to it.
// Nothing is wrong with either answer: a registry numbers parts from 1 on and names them all.
// Other programs on the bucket may not.
func partNumbers(ctx context.Context, p *run) (string, error) {
	gap, err := p.completes(ctx, "gap", []int{2}, 1)
	if err != nil {
		return "", err
	}
	unnamed, err := p.completes(ctx, "unnamed", []int{1, 2}, 1)
	if err != nil {
		return "", err
	}
	word := map[bool]string{true: "accepted", false: "refused"}
	return fmt.Sprintf("gaps are %s, unnamed parts are %s; a registry makes neither", word[gap], word[unnamed]), nil
}

// completes reports whether the store completes an upload of parts with these numbers, of
// which the first named ones are named.
func (p *run) completes(ctx context.Context, name string, numbers []int, named int) (bool, error) {
	key := p.key("_uploads/" + name)
	p.mark(key)
	uploads := p.features.Uploads
	u, err := uploads.CreateUpload(ctx, key, driver.WriteOptions{})
	if err != nil {
		return false, err
	}
	var parts []driver.Part
	for _, n := range numbers {
		part, err := uploads.PutPart(ctx, u, n, section(content))
		if err != nil {
			return false, errors.Join(err, uploads.AbortUpload(context.WithoutCancel(ctx), u))
		}
		parts = append(parts, part)
	}
	_, err = uploads.CompleteUpload(ctx, u, parts[:named], driver.Cond{})
	if err == nil {
		return true, nil
	}
	aborted := uploads.AbortUpload(context.WithoutCancel(ctx), u)
	if inconclusive(err) {
		return false, errors.Join(err, aborted)
	}
	return false, aborted
}
