package blobstore

import (
	"context"
	"errors"
	"path"
	"slices"

	"github.com/blobdock/blobdock/driver"
)

// dropUpload removes an upload: parts, staged object and session. parts is where
// its writer sent parts to, which sess may not know yet; completed tells that
// these are an object by now.
func (s *Store) dropUpload(ctx context.Context, sess *session, parts driver.Upload, completed bool) error {
	private := s.privateKey(sess)
	var errs []error
	if parts.ID != "" && !completed {
		errs = append(errs, s.bucket.AbortUpload(ctx, parts))
	}
	shared := false // with other uploads to the same digest
	strays := sess.Strays
	if sess.Staged.Key == private && sess.Staged.ID == "" && parts.ID == "" {
		strays = append(slices.Clip(strays), private)
	}
	for _, key := range strays {
		if key == private {
			errs = append(errs, s.abortStrays(ctx, private))
		} else {
			shared = true
		}
	}
	keys := []string{sess.key}
	if sess.Staged.Key == private {
		// Commit may have completed it here before it failed.
		keys = append(keys, private)
	}
	if shared {
		// Others may upload to the same digest at this moment: their uploads can't
		// be told from a stray one, except by age. The session stays, so that the
		// sweeper knows where to look.
		return errors.Join(errs...)
	}
	if err := errors.Join(errs...); err != nil {
		return err // keep the session: it leads the sweeper here
	}
	return driver.DeleteAll(ctx, s.bucket, driver.Refs(keys...))
}

// abort drops parts that are not needed. A failure fails nothing, the sweeper
// comes by.
func (s *Store) abort(ctx context.Context, u driver.Upload) {
	ctx, stop := s.cleanup(ctx)
	defer stop()
	if err := s.bucket.AbortUpload(ctx, u); err != nil {
		s.options.Log.WarnContext(ctx, "parts not aborted, the sweeper will", "key", u.Key, "cause", err)
	}
}

// abortLost drops the upload u of a writer that lost sess to another. At the
// session's own key that is left to whoever ends the session, as long as there is
// one: where parts belong to their key, as in Azure, an abort takes along those of
// the winner.
func (s *Store) abortLost(ctx context.Context, sess *session, u driver.Upload) {
	if u.Key == s.privateKey(sess) {
		ctx, stop := s.cleanup(ctx)
		defer stop()
		if _, err := s.bucket.Stat(ctx, sess.key); !errors.Is(err, driver.NotFound) {
			return
		}
	}
	s.abort(ctx, u)
}

// abortStrays aborts every upload to a key that only one session uses.
func (s *Store) abortStrays(ctx context.Context, key string) error {
	for u, err := range driver.ListUploads(ctx, s.bucket, driver.ListRequest{Prefix: key}) {
		if err != nil {
			return err
		}
		if u.Key != key {
			continue
		}
		if err := s.bucket.AbortUpload(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// privateKey is where an upload's parts go when the digest is not known.
func (s *Store) privateKey(sess *session) string {
	return path.Dir(sess.key) + "/" + dataName
}

// stagingKey is where the parts of an upload go: straight to the digest key when
// that is known and bytes can't be moved there for free afterwards.
func (s *Store) stagingKey(sess *session, direct string) string {
	if direct != "" && s.features.Retarget == nil {
		return direct
	}
	return s.privateKey(sess)
}
