package upload

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
	"github.com/blobdock/blobdock/internal/layout"
)

// publish puts content at a digest's key by write. Content that is there already is trusted if
// its size is right, and its checksums as far as the store reports them: only content that was
// verified gets there. Else it is replaced. Where the outcome of a write is unknown, the store
// refuses it in passing, or it has met another write to the key, publish looks, waits and
// repeats.
//
// A store that turns out to refuse conditions is written to without them: they save
// bytes, and what is published is verified.
//
// With replace the write is not conditional, and what is there is not looked at.
func (e *Engine) publish(ctx context.Context, key string, want content, offered driver.CondSet, replace bool, write func(driver.Cond) error) error {
	if replace {
		return e.overwrite(ctx, key, write)
	}
	if e.unconditional.Load() {
		offered = driver.NoCond
	}
	ifAbsent := driver.Cond{IfAbsent: offered&driver.CondIfAbsent != 0}
	cond := ifAbsent
	var refused, contested bool
	waits := e.options.Retry.Backoff()
	for try := 1; ; try++ {
		err := write(cond)
		if err == nil {
			if refused && !e.unconditional.Swap(true) {
				e.options.Log.WarnContext(ctx, "the store refuses conditional writes, so that blobs are written without conditions: set conditions=none")
			}
			return nil
		}
		if errors.Is(err, driver.Unsupported) && !cond.IsZero() {
			refused = true
			offered, ifAbsent, cond = driver.NoCond, driver.Cond{}, driver.Cond{}
			continue
		}
		if !worthALook(err) {
			return err
		}
		contested = contested || conflict(err)
		obj, serr := driver.StatChecksums(ctx, e.bucket, key)
		switch {
		case serr == nil && want.trusts(obj):
			return nil
		case serr == nil && errors.Is(err, driver.NotFound):
			return err // a source is gone
		case serr == nil:
			e.options.Log.WarnContext(ctx, "replacing a blob of the wrong size, checksum or encoding", "key", key, "size", obj.Size, "encoding", obj.ContentEncoding, "want", want.size)
			cond = driver.Cond{}
			switch {
			case obj.DeleteFirst:
				if err := e.deleteFirst(ctx, obj); err != nil {
					return err
				}
				cond = ifAbsent
			case offered&driver.CondIfMatch != 0:
				cond.IfMatch = obj.ETag
			}
		case !errors.Is(serr, driver.NotFound):
			return errors.Join(err, serr)
		case contested:
			// The other write is under way still. The store may have dropped an upload that
			// was to be completed.
			err, cond = passing(err), ifAbsent
		case errors.Is(err, driver.NotFound):
			return err
		case errors.Is(err, driver.Exists) || errors.Is(err, driver.Mismatch):
			// Something is there and nothing is: parts of an unfinished upload may show
			// as a blob, as on Azurite. Published content is verified, so the next write
			// goes without a condition.
			if errors.Is(err, driver.Mismatch) && cond == ifAbsent {
				return err // it is a source that has changed
			}
			cond = driver.Cond{}
		default:
			cond = ifAbsent
		}
		if err := e.again(ctx, waits, try, err); err != nil {
			return err
		}
	}
}

// deleteFirst deletes an object that bars the parts of the one in its place. Another version
// stays.
func (e *Engine) deleteFirst(ctx context.Context, obj driver.Object) error {
	err := e.bucket.Delete(ctx, obj.Key, driver.DeleteOptions{IfVersion: obj.Version})
	if errors.Is(err, driver.Mismatch) {
		return nil
	}
	return err
}

// overwrite repeats an unconditional write that fails in passing, or that an object at the
// key bars.
func (e *Engine) overwrite(ctx context.Context, key string, write func(driver.Cond) error) error {
	waits := e.options.Retry.Backoff()
	for try := 1; ; try++ {
		err := write(driver.Cond{})
		if err == nil {
			return nil
		}
		switch {
		case errors.Is(err, driver.Exists):
			obj, serr := e.bucket.Stat(ctx, key)
			if serr == nil && obj.DeleteFirst {
				serr = e.deleteFirst(ctx, obj)
			}
			if serr != nil && !errors.Is(serr, driver.NotFound) {
				return errors.Join(err, serr)
			}
		case !driver.KindOf(err).Temporary():
			return err
		}
		if err := e.again(ctx, waits, try, err); err != nil {
			return err
		}
	}
}

// placeTries bounds how often something is written again at once, as somebody else was
// faster.
const placeTries = 4

// again waits until a write that failed may be repeated, and returns its error when it
// may not.
func (e *Engine) again(ctx context.Context, waits *retry.Backoff, try int, err error) error {
	if kind := driver.KindOf(err); kind.Temporary() {
		most := e.options.Retry.Attempts // 0: the Backoff alone bounds them
		if kind == driver.Throttled && e.options.Retry.Throttled > 0 {
			most = e.options.Retry.Throttled
		}
		if most > 0 && try >= most {
			return err
		}
		return waits.Wait(ctx, err)
	}
	if try == placeTries {
		return err
	}
	return nil
}

// conflict reports whether a completion on a condition met another write, as opposed to
// sources that have changed.
func conflict(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Kind == driver.Mismatch && e.Status == http.StatusConflict
}

// passing is err as one that passes.
func passing(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind.Temporary() {
		return err
	}
	passing := *e
	passing.Kind = driver.Unavailable
	return &passing
}

// worthALook reports whether the content may be there although the write failed, or may
// be written a little later.
func worthALook(err error) bool {
	return errors.Is(err, driver.Exists) || errors.Is(err, driver.Mismatch) || errors.Is(err, driver.NotFound) ||
		driver.OutcomeUnknown(err) || driver.KindOf(err).Temporary()
}

// putBlob stores body, which is the content c, under d by one request.
func (e *Engine) putBlob(ctx context.Context, d digest.Digest, c content, body *io.SectionReader, replace bool) error {
	o := driver.WriteOptions{ContentType: contentType, Use: driver.UseBlob}
	if c.sha256 != "" {
		o.SHA256, _ = hex.DecodeString(c.sha256.Encoded())
	}
	key := e.layout.Blob(d)
	return e.publish(ctx, key, c, e.features.Conds.Put, replace, func(c driver.Cond) error {
		o.Cond = c
		_, err := e.bucket.Put(ctx, key, body, o)
		return err
	})
}

// Link makes d a blob of the repository, whose content lies under target: the same digest,
// but for what distribution keeps under another one.
func (e *Engine) Link(ctx context.Context, repo string, d, target digest.Digest) error {
	return e.PutLink(ctx, e.layout.LayerLink(repo, d), target, contentType)
}

// PutLink writes a link to target. Many may do so at once: a link that the store does not
// want to be written again is looked at.
func (e *Engine) PutLink(ctx context.Context, key string, target digest.Digest, contentType string) error {
	waits := e.options.Retry.Backoff()
	for try := 1; ; try++ {
		_, err := e.bucket.Put(ctx, key, io.NewSectionReader(strings.NewReader(target.String()), 0, int64(len(target))), driver.WriteOptions{ContentType: contentType})
		if err == nil || !worthALook(err) {
			return err
		}
		if there, lerr := e.readLink(ctx, key); lerr == nil && there == target {
			return nil
		}
		if err := e.again(ctx, waits, try, err); err != nil {
			return err
		}
	}
}

func (e *Engine) readLink(ctx context.Context, key string) (digest.Digest, error) {
	rd, err := e.bucket.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return "", err
	}
	defer rd.Close()
	b, err := io.ReadAll(io.LimitReader(rd, layout.MaxLink))
	return digest.Digest(b), err
}

// Trusted returns the object of the digest d, and whether it is taken for d's content, which has
// size bytes; -1 is any.
func (e *Engine) Trusted(ctx context.Context, d digest.Digest, size int64) (driver.Object, bool, error) {
	obj, err := driver.StatChecksums(ctx, e.bucket, e.layout.Blob(d))
	if size < 0 {
		size = obj.Size
	}
	return obj, err == nil && announced(d, size).trusts(obj) && !e.distrusted.has(obj), err
}

// isPublished reports whether the repository has the blob, and its size: an earlier
// request has committed it, and its answer was lost.
func (e *Engine) isPublished(ctx context.Context, repo string, d digest.Digest) (int64, bool, error) {
	var obj driver.Object
	target, err := e.readLink(ctx, e.layout.LayerLink(repo, d))
	damaged := err == nil && target.Validate() != nil
	if err == nil && !damaged {
		obj, err = driver.StatChecksums(ctx, e.bucket, e.layout.Blob(target))
	}
	switch {
	case damaged || errors.Is(err, driver.NotFound):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("looking whether the blob is there: %w", err)
	case obj.Size == 0 && target != target.Algorithm().FromBytes(nil) || !announced(target, obj.Size).trusts(obj):
		return 0, false, nil
	}
	return obj.Size, true, nil
}
