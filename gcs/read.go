package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/blobdock/blobdock/driver"
)

// Open reads the object at key, or the part of it that r names, by the XML API:
// the JSON API does not tell an object's metadata along with its bytes.
//
// A range of an object without bytes costs a second request, as the refusal of
// the first does not describe the object. So does a read that is refused for its
// IfMatch: the refusal is the same for an object that is gone.
func (b *Bucket) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if err := b.checkKey(key); err != nil {
		return nil, driver.Fail(driver.OpOpen, key, err)
	}
	if _, err := r.Resolve(math.MaxInt64); err != nil {
		return nil, driver.Fail(driver.OpOpen, key, err)
	}
	if _, ok := generation(o.IfMatch); o.IfMatch != "" && !ok {
		return nil, b.noMatch(ctx, key, driver.Fail(driver.OpOpen, key, fmt.Errorf("%q is no generation: %w", o.IfMatch, driver.Mismatch)))
	}
	header, lead := rangeHeader(r)
	rd, err := b.download(ctx, key, r, header, lead, o.IfMatch)
	switch {
	case errors.Is(err, driver.OutOfRange) && r.Off == 0:
		// Only an object without bytes has no first one.
		rd, err = b.download(ctx, key, r, "", 0, o.IfMatch)
	case errors.Is(err, driver.Mismatch):
		return nil, b.noMatch(ctx, key, err)
	}
	if err != nil {
		return nil, b.absent(ctx, err)
	}
	return rd, nil
}

// noMatch is mismatch, or NotFound where there is no object that could match.
func (b *Bucket) noMatch(ctx context.Context, key string, mismatch error) error {
	_, err := b.get(ctx, driver.OpOpen, key, b.full(key))
	if err != nil {
		return b.absent(ctx, err)
	}
	return mismatch
}

func (b *Bucket) download(ctx context.Context, key string, r driver.Range, header string, lead int64, match string) (*driver.Reader, error) {
	ctx, c := begin(ctx, driver.OpOpen, key, driver.Cond{})
	resp, err := b.fetch(ctx, key, header, match)
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	obj := described(key, resp)
	resolved, err := reconcile(r, lead, resp, &obj)
	if err == nil && lead > 0 {
		_, err = io.CopyN(io.Discard, resp.Body, lead)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		_ = resp.Body.Close()
		if driver.KindOf(err) != driver.Unknown {
			return nil, driver.Fail(driver.OpOpen, key, err)
		}
		return nil, c.fail(ctx, err)
	}
	return &driver.Reader{ReadCloser: &downstream{body: resp.Body, left: resolved.Len}, Object: obj, Range: resolved}, nil
}

func (b *Bucket) fetch(ctx context.Context, key, header, match string) (*http.Response, error) {
	target := b.config.Endpoint + "/" + url.PathEscape(b.name) + "/" + url.PathEscape(b.full(key))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	// Without it the store unpacks what is labelled gzip.
	// https://cloud.google.com/storage/docs/transcoding
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", userAgent)
	if header != "" {
		req.Header.Set("Range", header)
	}
	if match != "" {
		req.Header.Set("X-Goog-If-Generation-Match", match)
	}
	if b.config.UserProject != "" {
		req.Header.Set(projectHeader, b.config.UserProject)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := googleapi.CheckResponse(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

const metaHeader = "X-Goog-Meta-"

// described is the object as the headers of a read tell it.
// https://cloud.google.com/storage/docs/xml-api/reference-headers
func described(key string, resp *http.Response) driver.Object {
	at, _ := http.ParseTime(resp.Header.Get("Last-Modified"))
	obj := driver.Object{
		Key: key, Size: resp.ContentLength, ETag: resp.Header.Get("X-Goog-Generation"), ModTime: at,
		ContentType: resp.Header.Get("Content-Type"),
	}
	for k, v := range resp.Header {
		if name, ok := strings.CutPrefix(k, metaHeader); ok && len(v) > 0 {
			if obj.Metadata == nil {
				obj.Metadata = make(map[string]string)
			}
			obj.Metadata[strings.ToLower(name)] = v[0]
		}
	}
	return obj
}

// rangeHeader is the Range header for r, "" for all. It begins lead bytes, one or
// none, before r: where r starts at the end of the object there is that byte,
// and the reply has the object's headers; a start beyond the end is a 416. To
// ask for r itself would be a 416 in both cases, without the headers.
func rangeHeader(r driver.Range) (header string, lead int64) {
	if r == (driver.Range{}) {
		return "", 0
	}
	first := r.Off
	if first > 0 {
		first, lead = first-1, 1
	}
	if r.Len == 0 || r.Len > math.MaxInt64-r.Off {
		return fmt.Sprintf("bytes=%d-", first), lead
	}
	return fmt.Sprintf("bytes=%d-%d", first, r.Off+r.Len-1), lead
}

// reconcile fits r to what the store delivers, and puts the whole object's size
// into obj.
func reconcile(r driver.Range, lead int64, resp *http.Response, obj *driver.Object) (driver.Range, error) {
	if resp.StatusCode == http.StatusPartialContent {
		first, size, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if !ok || first != r.Off-lead {
			return driver.Range{}, fmt.Errorf("asked for bytes from %d on, got Content-Range %q: %w",
				r.Off-lead, resp.Header.Get("Content-Range"), driver.Unsupported)
		}
		obj.Size = size
	} else if r.Off > 0 || obj.Size < 0 {
		return driver.Range{}, fmt.Errorf("asked for bytes from %d on, got status %d without a range or length: %w", r.Off, resp.StatusCode, driver.Unsupported)
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
