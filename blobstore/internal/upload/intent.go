package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// intentsDir has an object that names the digest at whose key a multipart upload was begun,
// on stores that list such uploads only by their exact key. It leads the sweep to uploads
// that a process has left. Each is in a folder of its own beside the uploads: it outlives
// its upload, which another process may finish or end.
const intentsDir = "m/"

// intent is one of these objects, and the key that it leads to.
type intent struct {
	object driver.ObjectRef
	key    string
	looks  int // after which there were multipart uploads at the key
}

// intend notes that a multipart upload to d's key begins, where the sweep would not find it
// otherwise.
func (w *Writer) intend(ctx context.Context, d digest.Digest) error {
	if !w.engine.features.UploadsByKey || w.intent.object.Key != "" {
		return nil
	}
	key := fmt.Sprintf("%sintent-%s/%s%s-%s", w.engine.layout.Uploads(), random(), intentsDir, d.Algorithm(), d.Encoded())
	obj, err := w.engine.bucket.Put(ctx, key, io.NewSectionReader(strings.NewReader(""), 0, 0), driver.WriteOptions{ContentType: contentType})
	if err != nil {
		return fmt.Errorf("intent: %w", err)
	}
	w.intent = intent{object: driver.ObjectRef{Key: key, Version: obj.Version}, key: w.engine.layout.Blob(d)}
	return nil
}

// fulfilled has the intent removed: its multipart upload is completed or aborted.
func (w *Writer) fulfilled() {
	if w.intent.object.Key != "" {
		w.engine.cleanup.intent(w.intent)
		w.intent = intent{}
	}
}

// abortIntended aborts the multipart uploads that the intents in a folder lead to, as far
// as they were begun before then.
func (e *Engine) abortIntended(ctx context.Context, folder string, before time.Time) error {
	if !e.features.UploadsByKey {
		return nil
	}
	var errs []error
	for entry, err := range driver.List(ctx, e.bucket, driver.ListRequest{Prefix: folder + intentsDir}) {
		if err != nil {
			return err
		}
		alg, rest, _ := strings.Cut(strings.TrimPrefix(entry.Key, folder+intentsDir), "-")
		hex, _, _ := strings.Cut(rest, "-")
		d := digest.NewDigestFromEncoded(digest.Algorithm(alg), hex)
		if d.Validate() == nil {
			errs = append(errs, e.abortAt(ctx, e.layout.Blob(d), before))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) abortAt(ctx context.Context, key string, before time.Time) error {
	left, err := uploadsAt(ctx, e.bucket, key)
	if err != nil {
		return err
	}
	for _, u := range left {
		if !u.Started.IsZero() && u.Started.Before(before) {
			if err := e.features.Uploads.AbortUpload(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// uploadsAt are the multipart uploads to a key.
func uploadsAt(ctx context.Context, b driver.Bucket, key string) ([]driver.Upload, error) {
	var left []driver.Upload
	for u, err := range driver.ListUploads(ctx, b, driver.ListRequest{Prefix: key}) {
		if err != nil {
			return nil, err
		}
		if u.Key == key {
			left = append(left, u)
		}
	}
	return left, nil
}
