package oci

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"cuelabs.dev/go/oci/ociregistry"
	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/manifests"
)

// asOCI adds to err the error of ociregistry that says the same.
func asOCI(err error) error {
	var (
		badDigest   distribution.ErrBlobInvalidDigest
		unverified  distribution.ErrManifestVerification
		noRevision  distribution.ErrManifestUnknownRevision
		noTag       distribution.ErrTagUnknown
		noRepo      distribution.ErrRepositoryUnknown
		badManifest *manifests.InvalidError
	)
	var code error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, distribution.ErrBlobUnknown):
		code = ociregistry.ErrBlobUnknown
	case errors.Is(err, distribution.ErrBlobUploadUnknown):
		code = ociregistry.ErrBlobUploadUnknown
	case errors.As(err, &badDigest), errors.Is(err, digest.ErrDigestInvalidFormat), errors.Is(err, digest.ErrDigestUnsupported), errors.Is(err, digest.ErrDigestInvalidLength):
		code = ociregistry.ErrDigestInvalid
	case errors.Is(err, distribution.ErrBlobInvalidLength), errors.Is(err, blobstore.ErrBodyLength):
		code = ociregistry.ErrSizeInvalid
	case errors.As(err, &noRevision), errors.As(err, &noTag):
		code = ociregistry.ErrManifestUnknown
	case errors.As(err, &noRepo):
		code = ociregistry.ErrNameUnknown
	case errors.As(err, &unverified):
		code = ociregistry.ErrManifestBlobUnknown
	case errors.As(err, &badManifest):
		code = ociregistry.ErrManifestInvalid
	case errors.Is(err, driver.OutOfRange), errors.Is(err, blobstore.ErrUploadConflict):
		code = ociregistry.ErrRangeInvalid
	case errors.Is(err, driver.Throttled), errors.Is(err, blobstore.ErrBusy):
		code = ociregistry.ErrTooManyRequests
	default:
		return err
	}
	return fmt.Errorf("%w: %w", code, err)
}

// WriteError is ociserver.Options.WriteError for a registry that strangers reach: an error of the
// store goes to slog's default with all that is known of it, and to the client without the store's
// own words and keys.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	var e *driver.Error
	if errors.As(err, &e) {
		slog.ErrorContext(r.Context(), "storage failed", "method", r.Method, "path", r.URL.Path, "cause", err)
		told := fmt.Errorf("storage: %w", e.Kind)
		var known ociregistry.Error
		if errors.As(err, &known) {
			told = fmt.Errorf("%w: storage: %w", known, e.Kind)
		}
		err = told
	}
	_ = ociregistry.WriteError(w, err)
}
