package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"

	"google.golang.org/api/storage/v1"
)

// plainType is the content type of what is written without one; the store's own
// default differs between its APIs.
const plainType = "application/octet-stream"

// insert sends an object in one request. The generated client would send the
// body in chunks of unknown number, from a goroutine that outlives the call; with
// the length announced, a body that breaks off can't pass for a whole one.
// https://cloud.google.com/storage/docs/uploading-objects#uploading-an-object (multipart)
func (b *Bucket) insert(ctx context.Context, obj *storage.Object, body io.Reader, size int64, match *int64) (*storage.Object, error) {
	head, tail, contentType, err := envelope(obj)
	if err != nil {
		return nil, err
	}
	q := url.Values{"uploadType": {"multipart"}, "name": {obj.Name}, "projection": {"noAcl"}, "alt": {"json"}, "prettyPrint": {"false"}}
	if match != nil {
		q.Set("ifGenerationMatch", strconv.FormatInt(*match, 10))
	}
	if b.config.KMSKey != "" {
		q.Set("kmsKeyName", b.config.KMSKey)
	}
	if b.config.UserProject != "" {
		q.Set("userProject", b.config.UserProject)
	}
	target := b.config.Endpoint + "/upload/storage/v1/b/" + url.PathEscape(b.name) + "/o?" + q.Encode()
	whole := io.MultiReader(bytes.NewReader(head), body, bytes.NewReader(tail))
	resp, err := b.post(ctx, target, contentType, whole, int64(len(head))+size+int64(len(tail)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	stored := new(storage.Object)
	if err := json.NewDecoder(resp.Body).Decode(stored); err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	return stored, nil
}

// post is do for a body of size bytes.
func (b *Bucket) post(ctx context.Context, target, contentType string, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", userAgent)
	return b.do(req)
}

// envelope is what stands before and behind the body: the object's metadata is
// the first part of the message, the body the second.
func envelope(obj *storage.Object) (head, tail []byte, contentType string, err error) {
	meta, err := json.Marshal(obj)
	if err != nil {
		return nil, nil, "", err
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json; charset=UTF-8"}})
	if err == nil {
		_, err = part.Write(meta)
	}
	if err == nil {
		_, err = w.CreatePart(textproto.MIMEHeader{"Content-Type": {obj.ContentType}})
	}
	if err != nil {
		return nil, nil, "", err
	}
	head = bytes.Clone(buf.Bytes())
	buf.Reset()
	if err := w.Close(); err != nil {
		return nil, nil, "", err
	}
	return head, buf.Bytes(), "multipart/related; boundary=" + w.Boundary(), nil
}
