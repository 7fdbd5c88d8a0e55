package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/blobdock/blobdock/driver"
)

// ListPage is one page of a listing.
func (b *Bucket) ListPage(ctx context.Context, q driver.ListRequest) (driver.Page[driver.Entry], error) {
	if err := q.Check(); err != nil {
		return driver.Page[driver.Entry]{}, driver.NewError(driver.OpList, q.Prefix, err)
	}
	ctx, c := b.begin(ctx, driver.OpList, q.Prefix)
	list := b.listV2
	if b.profile.listV1 {
		list = b.listV1
	}
	l, err := list(ctx, q)
	if err != nil {
		err = c.fail(ctx, err)
		var e *driver.Error
		if errors.As(err, &e) && e.Kind == driver.NotFound { // a prefix can't be missing
			e.Kind, e.Err = driver.NoBucket, fmt.Errorf("bucket %s, or no store is at the endpoint: %w", b.name, e.Err)
		}
		return driver.Page[driver.Entry]{}, err
	}
	b.seen.Store(true)
	page, err := b.page(l)
	if err != nil {
		return driver.Page[driver.Entry]{}, c.fail(ctx, err)
	}
	return page, nil
}

// listing is what both versions of the request answer.
type listing struct {
	objects  []types.Object
	prefixes []types.CommonPrefix
	encoding types.EncodingType
	next     string
}

func (b *Bucket) listV2(ctx context.Context, q driver.ListRequest) (listing, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: b.bucket(), Prefix: text(b.prefix.Full(q.Prefix)), Delimiter: text(q.Delimiter),
		MaxKeys: aws.Int32(int32(q.PageSize())), ContinuationToken: text(q.Token),
		// XML can't hold every character that a foreign key may have.
		EncodingType: types.EncodingTypeUrl,
	}
	if q.StartAfter != "" && q.Token == "" {
		in.StartAfter = b.full(q.StartAfter)
	}
	out, err := b.client.ListObjectsV2(ctx, in)
	if err != nil {
		return listing{}, err
	}
	l := listing{objects: out.Contents, prefixes: out.CommonPrefixes, encoding: out.EncodingType}
	if aws.ToBool(out.IsTruncated) {
		l.next = aws.ToString(out.NextContinuationToken)
		if l.next == "" {
			return l, fmt.Errorf("a truncated listing has no continuation token: %w", driver.Unsupported)
		}
	}
	return l, nil
}

// lastRune sorts behind all others, so that a prefix with it at its end is behind
// nearly every key that begins with the prefix.
const lastRune = "\U0010FFFF"

// listV1 has no tokens: the next page begins after the last key of this one.
func (b *Bucket) listV1(ctx context.Context, q driver.ListRequest) (listing, error) {
	prefix, marker := b.prefix.Full(q.Prefix), q.Token
	if marker == "" && q.StartAfter != "" {
		marker = b.prefix.Full(q.StartAfter)
	}
	switch {
	case marker < prefix:
		marker = "" // MinIO refuses a marker without the prefix
	case !strings.HasPrefix(marker, prefix):
		return listing{}, nil // all keys with the prefix lie before it
	}
	out, err := b.client.ListObjects(ctx, &s3.ListObjectsInput{
		Bucket: b.bucket(), Prefix: text(prefix), Delimiter: text(q.Delimiter),
		MaxKeys: aws.Int32(int32(q.PageSize())), Marker: text(marker), EncodingType: types.EncodingTypeUrl,
	})
	if err != nil {
		return listing{}, err
	}
	l := listing{objects: out.Contents, prefixes: out.CommonPrefixes, encoding: out.EncodingType}
	if !aws.ToBool(out.IsTruncated) {
		return l, nil
	}
	// NextMarker is left aside: it comes with a delimiter only, MinIO adds things
	// to it, and not every store goes on behind a common prefix named there.
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
	if n := len(out.Contents); n > 0 {
		if l.next, err = decode(aws.ToString(out.Contents[n-1].Key), out.EncodingType); err != nil {
			return l, err
		}
	}
	if n := len(out.CommonPrefixes); n > 0 {
		last, err := decode(aws.ToString(out.CommonPrefixes[n-1].Prefix), out.EncodingType)
		if err != nil {
			return l, err
		}
		l.next = max(l.next, last+lastRune)
	}
	if l.next == "" {
		return l, fmt.Errorf("a truncated listing is empty: %w", driver.Unsupported)
	}
	return l, nil
}

// page merges objects and common prefixes, which come apart, in byte order.
func (b *Bucket) page(l listing) (driver.Page[driver.Entry], error) {
	page := driver.Page[driver.Entry]{Next: l.next, Items: make([]driver.Entry, 0, len(l.objects)+len(l.prefixes))}
	add := func(name *string, e driver.Entry) error {
		key, err := decode(aws.ToString(name), l.encoding)
		if err != nil {
			return err
		}
		var ours bool
		if e.Key, ours = b.prefix.Cut(key); ours {
			page.Items = append(page.Items, e)
		}
		return nil
	}
	for _, o := range l.objects {
		e := driver.Entry{Object: driver.Object{Size: aws.ToInt64(o.Size), ETag: etag(o.ETag), ModTime: aws.ToTime(o.LastModified)}}
		if err := add(o.Key, e); err != nil {
			return page, err
		}
	}
	for _, p := range l.prefixes {
		if err := add(p.Prefix, driver.Entry{IsPrefix: true}); err != nil {
			return page, err
		}
	}
	slices.SortFunc(page.Items, func(a, b driver.Entry) int { return strings.Compare(a.Key, b.Key) })
	return page, nil
}

// decode undoes the encoding that was asked for, where the store did it.
func decode(s string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return s, nil
	}
	v, err := url.QueryUnescape(s)
	if err != nil {
		return "", fmt.Errorf("listing has the malformed key %q: %w", s, driver.Unsupported)
	}
	return v, nil
}
