package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Open reads the object at key, or the part of it that r names, by the XML API:
// the JSON API does not tell an object's metadata along with its bytes.
//
// A range of an object without bytes costs a second request, as the refusal of
// the first does not describe the object. So does a read that is refused for its
// IfMatch: the refusal is the same for an object that is gone.
func (b *Bucket) Open(ctx context.Context, key string, r driver.Range, o driver.ReadOptions) (*driver.Reader, error) {
	if err := b.checkKey(key); err != nil {
		return nil, driver.NewError(driver.OpOpen, key, err)
	}
	span, err := cloud.NewSpan(r)
	if err != nil {
		return nil, driver.NewError(driver.OpOpen, key, err)
	}
	if _, ok := generation(o.IfMatch); o.IfMatch != "" && !ok {
		return nil, b.noMatch(ctx, key, driver.NewError(driver.OpOpen, key, fmt.Errorf("%q is no generation: %w", o.IfMatch, driver.Mismatch)))
	}
	rd, err := b.download(ctx, key, span, o.IfMatch)
	switch {
	case errors.Is(err, driver.OutOfRange) && r.Off == 0:
		// Only an object without bytes has no first one.
		rd, err = b.download(ctx, key, cloud.Span{}, o.IfMatch)
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
	return b.absent(ctx, b.another(ctx, driver.OpOpen, key, mismatch))
}

func (b *Bucket) download(ctx context.Context, key string, span cloud.Span, match string) (*driver.Reader, error) {
	ctx, c := begin(ctx, driver.OpOpen, key, driver.Cond{})
	resp, err := b.fetch(ctx, key, span.Header(), match) //nolint:bodyclose // Deliver takes it over
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	b.seen.Store(true)
	rd, err := c.Deliver(span, resp.Body, described(key, resp))
	if err != nil {
		return nil, c.fail(ctx, err)
	}
	return rd, nil
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
	return b.do(req)
}

const metaHeader = "X-Goog-Meta-"

// described is the object as the headers of a read tell it.
// https://cloud.google.com/storage/docs/xml-api/reference-headers
func described(key string, resp *http.Response) driver.Object {
	at, _ := http.ParseTime(resp.Header.Get("Last-Modified"))
	g := resp.Header.Get("X-Goog-Generation")
	obj := driver.Object{
		Key: key, Size: resp.ContentLength, ETag: g, Version: g, ModTime: at,
		ContentType: resp.Header.Get("Content-Type"), ContentEncoding: resp.Header.Get("Content-Encoding"),
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
