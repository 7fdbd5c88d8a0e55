package registry_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestSmuggledKeys asks for names that would be other keys, if they were taken as they
// come. All are refused as what they are, and nothing in the bucket changes.
func TestSmuggledKeys(t *testing.T) {
	b := mem.New()
	srv := serve(t, b)
	// What must neither be read nor changed.
	const secret = "docker/registry/v2/secret/data"
	if _, err := b.Put(t.Context(), secret, io.NewSectionReader(strings.NewReader("secret\n"), 0, 7), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	before := all(t, b)
	const hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	long := strings.Repeat("a", 300)
	for _, path := range []string{
		"/v2/../secret/blobs/sha256:" + hex,
		"/v2/a/../../secret/blobs/uploads/",
		"/v2/a%2f..%2f..%2fsecret/blobs/uploads/",
		"/v2/%2e%2e/%2e%2e/secret/blobs/uploads/",
		"/v2/a/%2e%2e/b/blobs/uploads/",
		"/v2/a%00/blobs/uploads/",
		"/v2/a%5c..%5cb/blobs/uploads/",
		"/v2/_uploads/blobs/uploads/",
		"/v2/a/_layers/blobs/uploads/",
		"/v2//a/blobs/uploads/",
		"/v2/A/blobs/uploads/",
		"/v2/" + long + "/blobs/uploads/",
		"/v2/a/blobs/sha256:..%2f..%2fsecret",
		"/v2/a/blobs/sha256:../../secret/data",
		"/v2/a/blobs/sha256:" + hex + "%2f..%2f..",
		"/v2/a/blobs/..:" + hex,
		"/v2/a/blobs/uploads/..%2f..%2f..%2fsecret",
		"/v2/a/blobs/uploads/../../../../../secret",
		"/v2/a/blobs/uploads/00000000-0000-0000-0000-00000000000%00",
		"/v2/a/blobs/uploads/" + long,
		"/v2/a/manifests/..%2f..%2fsecret",
		"/v2/a/manifests/.%2e",
		"/v2/a/manifests/" + long,
		"/v2/a/manifests/tag%00",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			status, body := raw(t, srv.Listener.Addr().String(), method, path)
			if status < 300 || status >= 500 || strings.Contains(body, "secret\n") {
				t.Errorf("%s %s: %d: %.200q", method, path, status, body)
			}
		}
	}
	if after := all(t, b); !slices.Equal(after, before) {
		t.Errorf("the bucket has %q, had %q", after, before)
	}
}

// raw sends a request whose path is not made any better on the way. A redirect to a
// path that is, 301, is as good as a refusal.
func raw(t *testing.T, addr, method, path string) (status int, body string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: registry\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text := make([]byte, 1000)
	n, _ := res.Body.Read(text)
	return res.StatusCode, string(text[:n])
}

func all(t *testing.T, b driver.Bucket) []string {
	t.Helper()
	var keys []string
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.Key+" "+e.ETag)
	}
	return keys
}
