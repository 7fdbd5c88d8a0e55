package azure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/blobdock/blobdock/driver"
)

// Open reads the object at key, or the part of it that r names.
func (b *Bucket) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if err := b.checkKey(key); err != nil {
		return nil, driver.Fail(driver.OpOpen, key, err)
	}
	if _, err := r.Resolve(math.MaxInt64); err != nil {
		return nil, driver.Fail(driver.OpOpen, key, err)
	}
	span, lead := wireRange(r)
	ctx, c := begin(ctx, driver.OpOpen, key)
	out, err := b.blob(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range: span, AccessConditions: conditionOf(driver.Cond{IfMatch: o.IfMatch}),
	})
	if err == nil && out.Body == nil {
		err = fmt.Errorf("a reply without a body: %w", driver.Unsupported)
	}
	if err != nil {
		if c.status == http.StatusRequestedRangeNotSatisfiable && r.Off == 0 {
			// Only an object without bytes has no first one.
			return &driver.Reader{
				ReadCloser: http.NoBody,
				Object:     driver.Object{Key: key, ETag: etag(to.Ptr(azcore.ETag(c.header.Get("Etag"))))},
			}, nil
		}
		return nil, b.unread(ctx, key, c.fail(ctx, err))
	}
	obj := driver.Object{
		Key:         key,
		Size:        value(out.ContentLength),
		ETag:        etag(out.ETag),
		ModTime:     value(out.LastModified),
		ContentType: value(out.ContentType),
		Metadata:    decodeMetadata(out.Metadata),
	}
	resolved, err := reconcile(r, lead, span != blob.HTTPRange{}, value(out.ContentRange), &obj)
	if err == nil && lead > 0 {
		_, err = io.CopyN(io.Discard, out.Body, lead)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		_ = out.Body.Close()
		return nil, c.fail(ctx, err)
	}
	return &driver.Reader{
		ReadCloser: &downstream{body: out.Body, left: resolved.Len},
		Object:     obj,
		Range:      resolved,
	}, nil
}

// unread is failed, or NotFound where there is nothing that could have had the
// ETag: a condition comes before existence, so that takes a second request.
func (b *Bucket) unread(ctx context.Context, key string, failed error) error {
	if driver.KindOf(failed) != driver.Mismatch {
		return failed
	}
	ctx, c := begin(ctx, driver.OpOpen, key)
	if _, err := b.blob(key).GetProperties(ctx, nil); err != nil {
		if err = c.fail(ctx, err); errors.Is(err, driver.NotFound) || errors.Is(err, driver.NoBucket) {
			return err
		}
	}
	return failed
}

// wireRange is the range to ask for, the zero range for all. It begins lead
// bytes, one or none, before r: where r starts at the end of the object there is
// that byte, and the reply has the object's headers; a start beyond the end is a
// 416. To ask for r itself would be a 416 in both cases, without the headers.
func wireRange(r driver.Range) (span blob.HTTPRange, lead int64) {
	if r == (driver.Range{}) {
		return blob.HTTPRange{}, 0
	}
	if r.Off > 0 {
		lead = 1
	}
	span.Offset = r.Off - lead
	if r.Len != 0 && r.Len <= math.MaxInt64-r.Off {
		span.Count = r.Len + lead
	}
	return span, lead
}

// reconcile fits r to what the store delivers, and puts the whole object's size
// into obj.
func reconcile(r driver.Range, lead int64, ranged bool, contentRange string, obj *driver.Object) (driver.Range, error) {
	if ranged {
		first, size, ok := parseContentRange(contentRange)
		if !ok || first != r.Off-lead {
			return driver.Range{}, fmt.Errorf("asked for bytes from %d on, got Content-Range %q: %w", r.Off-lead, contentRange, driver.Unsupported)
		}
		obj.Size = size
	}
	return r.Resolve(obj.Size)
}

// parseContentRange reads "bytes first-last/size".
func parseContentRange(s string) (first, size int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, total, ok2 := strings.Cut(s, "/")
	from, _, ok3 := strings.Cut(span, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	return first, size, ok && ok2 && ok3 && err == nil && err2 == nil
}

// downstream delivers left bytes and then io.EOF.
type downstream struct {
	body io.ReadCloser
	left int64
}

func (d *downstream) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	n, err := d.body.Read(p[:min(int64(len(p)), d.left)])
	d.left -= int64(n)
	if err == io.EOF && d.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (d *downstream) Close() error { return d.body.Close() }
