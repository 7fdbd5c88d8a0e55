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
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// Delete removes the object at key, if there is one. A refusal for its generation
// costs a second request, which tells an absent object from another version.
func (b *Bucket) Delete(ctx context.Context, key string, o driver.DeleteOptions) error {
	err := b.checkKey(key)
	if err == nil {
		err = b.features.Conds.CheckDelete(o, time.Now())
	}
	if err != nil {
		return driver.NewError(driver.OpDelete, key, err)
	}
	g, ok := generation(o.IfVersion)
	switch {
	case o.IfVersion != "" && !ok:
		err = driver.NewError(driver.OpDelete, key, fmt.Errorf("%q is no generation, so nothing has it: %w", o.IfVersion, driver.Mismatch))
	case o.NotAfter.IsZero():
		err = b.remove(ctx, key, g)
	default:
		err = cloud.Late(b.removeBefore(ctx, key, g, o.NotAfter), o.NotAfter)
	}
	if g != 0 && errors.Is(err, driver.NotFound) {
		err = b.another(ctx, driver.OpDelete, key, driver.NewError(driver.OpDelete, key, fmt.Errorf("there is no generation %d: %w", g, driver.Mismatch)))
	} else if errors.Is(err, driver.Mismatch) {
		err = b.another(ctx, driver.OpDelete, key, err)
	}
	if err = b.absent(ctx, err); errors.Is(err, driver.NotFound) {
		return nil
	}
	return err
}

// another is mismatch, or NotFound where there is no object that could match.
func (b *Bucket) another(ctx context.Context, op driver.Op, key string, mismatch error) error {
	if _, err := b.get(ctx, op, key, b.full(key)); err != nil {
		var e *driver.Error
		if errors.As(err, &e) {
			e.OutcomeUnknown = false // it only looked
		}
		return err
	}
	return mismatch
}

// remove deletes the object at key, in the given generation only unless that is 0. A
// generation that a request names is deleted for good where the bucket keeps versions; under
// ifGenerationMatch it would stay as a noncurrent one.
// https://cloud.google.com/storage/docs/json_api/v1/objects/delete
// https://cloud.google.com/storage/docs/object-versioning
func (b *Bucket) remove(ctx context.Context, key string, generation int64) error {
	ctx, c := begin(ctx, driver.OpDelete, key, driver.Cond{})
	r := b.service.Delete(b.name, b.full(key)).Context(ctx)
	if generation != 0 {
		r.Generation(generation)
	}
	if b.config.UserProject != "" {
		r.UserProject(b.config.UserProject)
	}
	if err := r.Do(); err != nil {
		return c.fail(ctx, err)
	}
	b.seen.Store(true)
	return nil
}

// removeBefore is remove by a signed URL, which the store refuses after the deadline by
// its own clock. Tokens have no such bound.
// https://cloud.google.com/storage/docs/authentication/signatures
func (b *Bucket) removeBefore(ctx context.Context, key string, generation int64, deadline time.Time) error {
	o := &sdk.SignedURLOptions{Method: http.MethodDelete, Expires: earlier(deadline, time.Now().Add(maxExpires)), QueryParameters: b.query(driver.SignRequest{})}
	if generation != 0 {
		if o.QueryParameters == nil {
			o.QueryParameters = url.Values{}
		}
		o.QueryParameters.Set("generation", strconv.FormatInt(generation, 10))
	}
	signing, c := begin(ctx, driver.OpSign, key, driver.Cond{})
	at, err := url.Parse(b.config.Endpoint)
	if err != nil {
		return c.fail(signing, err)
	}
	target, err := b.signedURL(signing, at, key, o)
	if err != nil {
		return c.fail(signing, err)
	}
	ctx, c = begin(ctx, driver.OpDelete, key, driver.Cond{})
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, target, nil)
	if err != nil {
		return c.fail(ctx, err)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := exchange(b.plain, req)
	if err != nil {
		return c.fail(ctx, err)
	}
	_ = resp.Body.Close()
	b.seen.Store(true)
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

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
		return driver.NewError(driver.OpDeleteBatch, refs[0].Key, err)
	}
	all := make([]deletion, len(refs))
	for i, r := range refs {
		g, ok := generation(r.Version)
		err := b.checkKey(r.Key)
		if err == nil && r.Version != "" && !ok {
			err = fmt.Errorf("version %q is no generation: %w", r.Version, driver.Invalid)
		}
		if err != nil {
			return driver.NewError(driver.OpDeleteBatch, r.Key, err)
		}
		all[i] = deletion{r.Key, b.full(r.Key), g}
	}
	return b.batch(ctx, driver.OpDeleteBatch, all)
}

// batches are requests under way at the same time.
const batches = 4

// removeAll deletes the objects that the store knows as names.
func (b *Bucket) removeAll(ctx context.Context, op driver.Op, key string, names []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(batches)
	for some := range slices.Chunk(names, maxBatch) {
		all := make([]deletion, len(some))
		for i, name := range some {
			all[i] = deletion{key: key, name: name}
		}
		g.Go(func() error { return b.batch(ctx, op, all) })
	}
	return g.Wait()
}

// deletion is one call of a batch.
type deletion struct {
	key        string // to tell
	name       string // as the store knows the object
	generation int64  // 0 is any
}

// batch deletes up to maxBatch objects in one request. The error is that of the first
// which could not be deleted.
func (b *Bucket) batch(ctx context.Context, op driver.Op, all []deletion) error {
	ctx, c := begin(ctx, op, all[0].key, driver.Cond{})
	replies, err := b.sendBatch(ctx, all)
	if err != nil {
		return c.fail(ctx, err)
	}
	left := 0
	var failed *driver.Error
	for i, reply := range replies {
		if reply == nil {
			continue
		}
		e := c.partly(reply)
		e.Key = all[i].key
		if e.Kind == driver.NotFound {
			e.Kind = driver.Mismatch // of a version; another may be there
			if all[i].generation == 0 || errors.Is(b.another(ctx, op, e.Key, e), driver.NotFound) {
				continue
			}
		}
		if left++; failed == nil {
			failed = e
		}
	}
	if failed == nil {
		return b.noneThere(ctx, c, replies)
	}
	failed.Err = fmt.Errorf("%d of %d keys were not deleted: %w", left, len(all), failed.Err)
	return failed
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
	err := b.absent(ctx, c.partly(replies[0]))
	if errors.Is(err, driver.NotFound) || errors.Is(err, driver.Mismatch) { // the bucket is there
		return nil
	}
	return err
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
	e.OutcomeUnknown = e.Kind == driver.Unavailable
	return e
}

// sendBatch sends a call for each deletion, and returns the error of each.
// https://cloud.google.com/storage/docs/batch#http
func (b *Bucket) sendBatch(ctx context.Context, all []deletion) ([]error, error) {
	body, contentType, err := b.deletions(all)
	if err != nil {
		return nil, err
	}
	resp, err := b.post(ctx, b.config.Endpoint+"/batch/storage/v1", contentType, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return readReplies(resp, len(all))
}

// deletions is a message with a call for each, numbered from 0.
func (b *Bucket) deletions(all []deletion) (body []byte, contentType string, err error) {
	at, err := url.Parse(b.config.Endpoint)
	if err != nil {
		return nil, "", err
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	for i, d := range all {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"application/http"}, "Content-Transfer-Encoding": {"binary"}, "Content-Id": {"<" + strconv.Itoa(i) + ">"},
		})
		if err != nil {
			return nil, "", err
		}
		_, _ = fmt.Fprintf(part, "DELETE /storage/v1/b/%s/o/%s%s HTTP/1.1\r\nHost: %s\r\n\r\n",
			url.PathEscape(b.name), url.PathEscape(d.name), b.deletionQuery(d), at.Host) // to memory
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return buf.Bytes(), "multipart/mixed; boundary=" + w.Boundary(), nil
}

func (b *Bucket) deletionQuery(d deletion) string {
	q := url.Values{}
	if b.config.UserProject != "" {
		q.Set("userProject", b.config.UserProject)
	}
	if d.generation != 0 {
		q.Set("generation", strconv.FormatInt(d.generation, 10))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
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
