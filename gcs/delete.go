package gcs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"

	"github.com/blobdock/blobdock/driver"
)

// maxBatch is how many calls one batch request may hold.
// https://cloud.google.com/storage/docs/batch
const maxBatch = 100

// deleteBatch deletes keys in one request. The error names the first key that
// could not be deleted; the others are deleted all the same.
func (b *Bucket) deleteBatch(ctx context.Context, refs []driver.ObjectRef) error {
	if len(refs) == 0 {
		return nil
	}
	if err := b.features.CheckBatch(refs); err != nil {
		return driver.Fail(driver.OpDeleteBatch, refs[0].Key, err)
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		if err := b.checkKey(r.Key); err != nil {
			return driver.Fail(driver.OpDeleteBatch, r.Key, err)
		}
		names[i] = b.full(r.Key)
	}
	i, err := b.batch(ctx, driver.OpDeleteBatch, refs[0].Key, names)
	var e *driver.Error
	if i >= 0 && errors.As(err, &e) {
		e.Key = refs[i].Key
	}
	return err
}

// batches are requests under way at the same time.
const batches = 4

// removeAll deletes the objects that the store knows as names.
func (b *Bucket) removeAll(ctx context.Context, op driver.Op, key string, names []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(batches)
	for len(names) > 0 {
		some := names[:min(len(names), maxBatch)]
		names = names[len(some):]
		g.Go(func() error {
			_, err := b.batch(ctx, op, key, some)
			return err
		})
	}
	return g.Wait()
}

// batch deletes up to maxBatch objects in one request. When some of them could not
// be deleted, the error is that of the one at the index; else the index is -1.
func (b *Bucket) batch(ctx context.Context, op driver.Op, key string, names []string) (int, error) {
	ctx, c := begin(ctx, op, key, driver.Cond{})
	replies, err := b.sendBatch(ctx, names)
	if err != nil {
		return -1, c.fail(ctx, err)
	}
	first, left := -1, 0
	var failed *driver.Error
	for i, err := range replies {
		if err == nil {
			continue
		}
		e := c.partly(err)
		if e.Kind == driver.NotFound {
			continue
		}
		if left++; first < 0 {
			first, failed = i, e
		}
	}
	if first < 0 {
		return -1, b.noneThere(ctx, c, replies)
	}
	failed.Err = fmt.Errorf("%d of %d keys were not deleted: %w", left, len(names), failed.Err)
	return first, failed
}

// noneThere tells a batch that found nothing to delete from one that found no
// bucket.
func (b *Bucket) noneThere(ctx context.Context, c *call, replies []error) error {
	for _, err := range replies {
		if err == nil {
			b.seen.Store(true)
			return nil
		}
	}
	if err := b.absent(ctx, c.partly(replies[0])); !errors.Is(err, driver.NotFound) {
		return err
	}
	return nil
}

// partly is the error of one call in a batch.
func (c *call) partly(err error) *driver.Error {
	e := &driver.Error{Op: c.Op, Key: c.Key, RequestID: c.Header.Get("X-Guploader-Uploadid")}
	var api *googleapi.Error
	if !errors.As(err, &api) {
		e.Kind, e.Err = driver.Unavailable, err
	} else {
		c.refused(e, api)
	}
	e.MayHave = e.Kind == driver.Unavailable
	return e
}

// sendBatch sends a call for each name, and returns the error of each.
// https://cloud.google.com/storage/docs/batch#http
func (b *Bucket) sendBatch(ctx context.Context, names []string) ([]error, error) {
	body, contentType, err := b.deletions(names)
	if err != nil {
		return nil, err
	}
	resp, err := b.post(ctx, b.config.Endpoint+"/batch/storage/v1", contentType, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return readReplies(resp, len(names))
}

// deletions is a message with a call for each name, numbered from 0.
func (b *Bucket) deletions(names []string) (body []byte, contentType string, err error) {
	at, err := url.Parse(b.config.Endpoint)
	if err != nil {
		return nil, "", err
	}
	query := ""
	if b.config.UserProject != "" {
		query = "?" + url.Values{"userProject": {b.config.UserProject}}.Encode()
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i, name := range names {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"application/http"}, "Content-Transfer-Encoding": {"binary"}, "Content-Id": {"<" + strconv.Itoa(i) + ">"},
		})
		if err != nil {
			return nil, "", err
		}
		_, _ = fmt.Fprintf(part, "DELETE /storage/v1/b/%s/o/%s%s HTTP/1.1\r\nHost: %s\r\n\r\n",
			url.PathEscape(b.name), url.PathEscape(name), query, at.Host) // to memory
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), "multipart/mixed; boundary=" + w.Boundary(), nil
}

// errNoReply is the error of a call that a batch's reply is silent about.
var errNoReply = errors.New("the batch's reply lacks this call's")

// readReplies reads the reply to each of n calls; they come in any order.
func readReplies(resp *http.Response, n int) ([]error, error) {
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("reply to a batch: %w", err)
	}
	replies := make([]error, n)
	for i := range replies {
		replies[i] = errNoReply
	}
	parts := multipart.NewReader(resp.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return replies, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reply to a batch: %w", err)
		}
		id := strings.TrimSuffix(strings.TrimPrefix(part.Header.Get("Content-Id"), "<response-"), ">")
		i, err := strconv.Atoi(id)
		if err != nil || i < 0 || i >= n {
			return nil, fmt.Errorf("reply to a batch: call %q is none of it", id)
		}
		// A reply without a body may lack the empty line that ends its headers: the
		// line's end belongs to the boundary.
		whole := io.MultiReader(part, strings.NewReader("\r\n\r\n"))
		one, err := http.ReadResponse(bufio.NewReader(whole), nil)
		if err != nil {
			return nil, fmt.Errorf("reply to call %d of a batch: %w", i, err)
		}
		replies[i] = googleapi.CheckResponse(one)
		_ = one.Body.Close()
	}
}
