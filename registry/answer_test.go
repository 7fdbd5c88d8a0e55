package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
)

// TestAnswersToFailures has a blob store fail in ways for which distribution knows no
// answer but 500.
func TestAnswersToFailures(t *testing.T) {
	fail := func(kind driver.Kind) error {
		return &driver.Error{Op: driver.OpPut, Key: "k", Kind: kind, Err: fmt.Errorf("words of the store")}
	}
	for _, tt := range []struct {
		err         error
		status      int
		code, words string
		retry       bool
	}{
		{fail(driver.Full), http.StatusInsufficientStorage, "STORAGE_FULL", "storage is full", false},
		{fail(driver.TooLarge), http.StatusRequestEntityTooLarge, "BLOB_TOO_LARGE", "larger than storage", false},
		{blobstore.ErrUploadTooLarge, http.StatusRequestEntityTooLarge, "BLOB_TOO_LARGE", "larger than storage", false},
		{blobstore.ErrBodyLength, http.StatusBadRequest, "SIZE_INVALID", "declared length", false},
		{fail(driver.Denied), http.StatusServiceUnavailable, "UNAVAILABLE", "operator", true},
	} {
		h := Handler(&configuration.Configuration{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = recordError(r.Context(), tt.err)
			w.WriteHeader(http.StatusInternalServerError)
		}))
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodPut, "/v2/a/blobs/uploads/u", nil))
		body := rec.Body.String()
		if rec.Code != tt.status || !strings.Contains(body, tt.code) || !strings.Contains(body, tt.words) || strings.Contains(body, "words of the store") {
			t.Errorf("%v: got %d %s, want %d %s", tt.err, rec.Code, body, tt.status, tt.code)
		}
		if got := rec.Header().Get("Retry-After") != ""; got != tt.retry {
			t.Errorf("%v: Retry-After %q", tt.err, rec.Header().Get("Retry-After"))
		}
	}
}
