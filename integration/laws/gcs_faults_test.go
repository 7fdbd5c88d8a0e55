package laws_test

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

// gcsFault proves that a fault strikes requests that Options.Faults selects and no other,
// before the store executes them or after.
func gcsFault(law, reason string) func(*testing.T) {
	return func(t *testing.T) {
		for _, after := range []bool{false, true} {
			c := newGCSClient(t, laws.Options{Faults: map[string]laws.Faults{law: {First: 1, After: after}}}, law)
			_, err := c.insert(&storage.Object{Name: "a"}, "1").Do()
			wantReason(t, "the first insert", err, reason)
			c.wantStored(t, "a", map[bool]string{true: "1"}[after])
			c.put(t, &storage.Object{Name: "a"}, "2")
			c.wantStored(t, "a", "2")
			if n := c.enforcer.Refused(law); n != 1 {
				t.Errorf("%d requests failed, want 1", n)
			}
		}
		c := newGCSClient(t, laws.Options{}, law)
		c.put(t, &storage.Object{Name: "a"}, "1")
		if n := c.enforcer.Refused(law); n != 0 {
			t.Errorf("%d requests failed without being asked for", n)
		}
	}
}

// batchErrors takes the answer to a batch apart.
func batchErrors(t *testing.T, res *http.Response, body string) []error {
	t.Helper()
	_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var all []error
	for parts := multipart.NewReader(strings.NewReader(body), params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("batch: %v: %s", err, body)
		}
		answer, err := http.ReadResponse(bufio.NewReader(part), nil)
		if err != nil {
			t.Fatalf("batch: %v: %s", err, body)
		}
		all = append(all, googleapi.CheckResponse(answer))
		answer.Body.Close()
	}
}
