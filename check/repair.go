package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// repair is a link to be written.
type repair struct {
	key    string
	digest digest.Digest // what it is to hold
	was    string        // the ETag of the link that is wrong, "" where there is none
	// from is the link that the digest follows from, which must still say so. It is ""
	// where it follows from key itself.
	from     string
	fromSays digest.Digest
}

// repair writes a link, unless what it follows from has changed: then it returns
// what has.
func (r *run) repair(ctx context.Context, fix repair) (changed string, err error) {
	if fix.from != "" {
		l, err := r.readLink(ctx, fix.from)
		if err != nil {
			return "", err
		}
		if l.says != fix.fromSays {
			return "what it follows from has changed", nil
		}
	}
	obj, err := r.stat(ctx, fix.digest)
	switch {
	case errors.Is(err, driver.NotFound):
		return "the blob is gone", nil
	case err != nil:
		return "", err
	case hollow(fix.digest, obj.Size):
		return "the blob is empty", nil
	}
	l, err := r.readLink(ctx, fix.key)
	switch {
	case err != nil:
		return "", err
	case l.says == fix.digest:
		return "", nil // by somebody else
	case l.etag != fix.was:
		return "the link has changed", nil
	}
	return r.write(ctx, fix)
}

func (r *run) write(ctx context.Context, fix repair) (changed string, err error) {
	// Stores keep this for links that distribution writes.
	o := driver.WriteOptions{ContentType: "application/octet-stream", Cond: driver.Cond{IfAbsent: fix.was == "", IfMatch: fix.was}}
	if !r.features.Conds.Put.Allows(o.Cond) {
		o.Cond = driver.Cond{}
	}
	text := fix.digest.String()
	_, err = r.bucket.Put(ctx, fix.key, io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), o)
	if err == nil {
		return "", nil
	}
	if !errors.Is(err, driver.Exists) && !errors.Is(err, driver.Mismatch) && !driver.OutcomeUnknown(err) {
		return "", fmt.Errorf("repair: %w", err)
	}
	// A reply may have been lost, and a write repeated.
	l, lerr := r.readLink(ctx, fix.key)
	switch {
	case lerr != nil:
		return "", errors.Join(fmt.Errorf("repair: %w", err), lerr)
	case l.says == fix.digest:
		return "", nil
	case driver.OutcomeUnknown(err):
		return "", fmt.Errorf("repair: %w", err)
	}
	return "the link has changed", nil
}
