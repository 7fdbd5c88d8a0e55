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

// intentsDir has an object for each digest at whose key a multipart upload was begun, on
// stores that list such uploads only by their exact key. It leads the sweep to uploads that
// a process has left.
const intentsDir = "m/"

// intend notes that a multipart upload to d's key begins, where the sweep would not find it
// otherwise.
func (w *Writer) intend(ctx context.Context, d digest.Digest) error {
	if !w.engine.features.UploadsByKey || w.intent.Key != "" {
		return nil
	}
	key := fmt.Sprintf("%s%s%s-%s", w.folder, intentsDir, d.Algorithm(), d.Encoded())
	obj, err := w.engine.bucket.Put(ctx, key, io.NewSectionReader(strings.NewReader(""), 0, 0), driver.WriteOptions{ContentType: contentType})
	if err != nil {
		return fmt.Errorf("intent: %w", err)
	}
	w.intent = driver.ObjectRef{Key: key, Version: obj.Version}
	return nil
}

// fulfilled has the intent removed: its multipart upload is completed or aborted.
func (w *Writer) fulfilled() {
	if w.intent.Key != "" {
		w.engine.cleanup.add(w.intent)
		w.intent = driver.ObjectRef{}
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
		alg, hex, _ := strings.Cut(strings.TrimPrefix(entry.Key, folder+intentsDir), "-")
		d := digest.NewDigestFromEncoded(digest.Algorithm(alg), hex)
		if d.Validate() == nil {
			errs = append(errs, e.abortAt(ctx, e.layout.Blob(d), before))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) abortAt(ctx context.Context, key string, before time.Time) error {
	for u, err := range driver.ListUploads(ctx, e.bucket, driver.ListRequest{Prefix: key}) {
		if err != nil {
			return err
		}
		if u.Key == key && !u.Started.IsZero() && u.Started.Before(before) {
			if err := e.features.Uploads.AbortUpload(ctx, u); err != nil {
				return err
			}
		}
	}
	return nil
}
