package laws_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
)

var gcsProofs = map[string]func(*testing.T){
	"compose-class":         composeClass,
	"compose-sources":       composeSources,
	"compose-checksum":      composeChecksum,
	"gcs-backend-error":     gcsFault("gcs-backend-error", "503 backendError"),
	"gcs-early-deletion":    earlyDeletion,
	"gcs-internal-error":    gcsFault("gcs-internal-error", "500 internalError"),
	"gcs-rate-limit":        gcsFault("gcs-rate-limit", "429 rateLimitExceeded"),
	"gcs-reset":             gcsFault("gcs-reset", "no answer"),
	"gcs-signed-expiry":     signedExpiry,
	"gcs-soft-delete":       softDelete,
	"gcs-versions":          noncurrentVersions,
	"generation-conditions": generationConditions,
	"list-pages":            listPages,
	"object-hold":           objectHold,
	"object-rate":           objectRate,
	"resumable-status":      resumableStatus,
	"retention-policy":      retentionPolicy,
	"rewrite-class":         rewriteClass,
	"transcoding":           transcoding,
}

// gcsClient is the SDK's client of a bucket behind laws.
type gcsClient struct {
	*storage.ObjectsService
	endpoint, bucket string
	direct           *storage.ObjectsService // around the laws
	enforcer         *laws.Enforcer
}

func newGCSClient(t *testing.T, o laws.Options, names ...string) gcsClient {
	t.Helper()
	server := emulator.StartGCS(t)
	bucket := server.NewBucket(t)
	through, enforcer := laws.GCS(t, server, o, names...)
	return gcsClient{objectsAt(t, through), through.Endpoint, bucket, objectsAt(t, server), enforcer}
}

func objectsAt(t *testing.T, g emulator.GCS) *storage.ObjectsService {
	t.Helper()
	s, err := storage.NewService(t.Context(), option.WithEndpoint(g.Endpoint+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	return s.Objects
}

// never is for calls that the SDK would repeat.
func never(error) bool { return false }

// insert is a call that writes an object.
func (c gcsClient) insert(o *storage.Object, content string) *storage.ObjectsInsertCall {
	return c.Insert(c.bucket, o).Media(strings.NewReader(content), googleapi.ChunkSize(0)).WithRetry(nil, never)
}

// put writes an object, and returns its generation.
func (c gcsClient) put(t *testing.T, o *storage.Object, content string) int64 {
	t.Helper()
	stored, err := c.insert(o, content).Do()
	wantReason(t, "insert", err, "")
	return stored.Generation
}

// join is a call that composes an object of others.
func (c gcsClient) join(to *storage.Object, name string, consume bool, sources ...string) *storage.ObjectsComposeCall {
	r := &storage.ComposeRequest{Destination: to, DeleteSourceObjects: consume}
	for _, s := range sources {
		r.SourceObjects = append(r.SourceObjects, &storage.ComposeRequestSourceObjects{Name: s})
	}
	return c.Compose(c.bucket, name, r)
}

// wantStored fails the test unless the store has this content under a name; "" is none.
func (c gcsClient) wantStored(t *testing.T, name, content string) {
	t.Helper()
	got, err := c.direct.Get(c.bucket, name).Download()
	if content == "" {
		wantReason(t, "what the store has of "+name, err, "404 ")
		return
	}
	wantReason(t, "what the store has of "+name, err, "")
	defer got.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(got.Body); err != nil || b.String() != content {
		t.Errorf("%s: the store has %q (%v), want %q", name, &b, err, content)
	}
}

// wantReason fails the test unless err is the API's error with this status and reason.
// "" is success, and "no answer" an error without any.
func wantReason(t *testing.T, what string, err error, reason string) {
	t.Helper()
	got := ""
	var api *googleapi.Error
	switch {
	case errors.As(err, &api):
		got = fmt.Sprint(api.Code, " ")
		if len(api.Errors) > 0 {
			got += api.Errors[0].Reason
		}
	case err != nil:
		got = "no answer"
	}
	if got != reason {
		t.Fatalf("%s: got %q (%v), want %q", what, got, err, reason)
	}
}

// fetch sends a request that the SDK has no call for, and returns the answer's body.
func (c gcsClient) fetch(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res, b.String()
}
