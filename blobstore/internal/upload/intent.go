package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// intentsDir has an object that names the key at which a multipart upload was begun, on
// stores that list such uploads only by their exact key. It leads the sweep to uploads that a
// process has left. Each is in a folder of its own beside the uploads: it outlives its upload,
// which another process may finish or end.
const intentsDir = "m/"

// intent is one of these objects, and the key that it leads to. The zero value is none.
type intent struct {
	object driver.ObjectRef
	key    string
	looks  int // after which there were multipart uploads at the key
}

// intend notes in i that a multipart upload to key begins, where the sweep would not find it
// otherwise. One intent leads to all that are begun at the key.
func (e *Engine) intend(ctx context.Context, key string, i *intent) error {
	if !e.features.UploadsByKey || i.object.Key != "" {
		return nil
	}
	name := fmt.Sprintf("%sintent-%s/%s%s", e.layout.Uploads(), random(), intentsDir, key)
	obj, err := e.bucket.Put(ctx, name, io.NewSectionReader(strings.NewReader(""), 0, 0), driver.WriteOptions{ContentType: contentType})
	if err != nil {
		return fmt.Errorf("intent: %w", err)
	}
	*i = intent{object: driver.ObjectRef{Key: name, Version: obj.Version}, key: key}
	return nil
}

// fulfilled has the intent removed: its multipart upload is completed or aborted.
func (e *Engine) fulfilled(i *intent) {
	if i.object.Key != "" {
		e.cleanup.intent(*i)
		*i = intent{}
	}
}

// fulfilledNow is fulfilled that has removed the intent when it returns, if that is possible.
func (e *Engine) fulfilledNow(ctx context.Context, i *intent) {
	if i.object.Key == "" {
		return
	}
	left, err := uploadsAt(ctx, e.bucket, i.key)
	if err == nil && len(left) == 0 && driver.DeleteAll(ctx, e.bucket, []driver.ObjectRef{i.object}) == nil {
		*i = intent{}
		return
	}
	e.fulfilled(i)
}

// concat is driver.Concat to which the intent leads the sweep, if it takes a multipart
// upload.
func (e *Engine) concat(ctx context.Context, r driver.ConcatRequest, i *intent) error {
	if !e.features.JoinsByCopy(r) {
		if err := e.intend(ctx, r.Key, i); err != nil {
			return err
		}
	}
	_, err := driver.Concat(ctx, e.bucket, r, e.options.Copy)
	return err
}

// Concat is driver.Concat. The sweep finds what is left of it when the process dies.
func (e *Engine) Concat(ctx context.Context, r driver.ConcatRequest) error {
	var i intent
	err := e.concat(ctx, r, &i)
	if err == nil {
		e.fulfilled(&i)
	}
	return err
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
		errs = append(errs, e.abortAt(ctx, strings.TrimPrefix(entry.Key, folder+intentsDir), before))
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
