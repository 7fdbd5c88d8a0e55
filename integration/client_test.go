package integration_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// client follows no redirects, as the tests look at them. The connections are its own: whoever
// closes an httptest.Server closes idle ones of http.DefaultTransport, and a request fails whose
// connection is just becoming idle.
var client = &http.Client{
	Transport:     http.DefaultTransport.(*http.Transport).Clone(),
	Timeout:       5 * time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// following is client that follows redirects.
var following = &http.Client{Transport: client.Transport}

// reply is a response with its body read.
type reply struct {
	*http.Response
	body string
}

// send makes one request. length is that of the body, -1 when the client doesn't
// tell.
func send(t testing.TB, method, url string, header map[string]string, body io.Reader, length int64) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.ContentLength = length
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res, string(b)}, err
}

// do is send, where an answer must come.
func do(t testing.TB, method, url string, header map[string]string, body *io.SectionReader) reply {
	t.Helper()
	var r io.Reader
	var length int64
	if body != nil {
		r, length = body, body.Size()
	}
	res, err := send(t, method, url, header, r, length)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res
}

// want fails the test unless the answer has the status.
func (r reply) want(t testing.TB, status int) reply {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: %s, want %d: %.500q", r.Request.Method, r.Request.URL.Redacted(), r.Status, status, r.body)
	}
	return r
}

// location is where an upload goes on.
func (r reply) location() string { return r.Header.Get("Location") }

// begin starts an upload and returns where it goes on.
func begin(t testing.TB, base, repo string) string {
	t.Helper()
	return do(t, http.MethodPost, base+"/v2/"+repo+"/blobs/uploads/", nil, nil).want(t, http.StatusAccepted).location()
}

// patch sends c's bytes from off to end and returns where the upload goes on.
func patch(t testing.TB, at string, c content, off, end int64) string {
	t.Helper()
	return do(t, http.MethodPatch, at, nil, c.section(off, end-off)).want(t, http.StatusAccepted).location()
}

// put ends an upload with the rest of its bytes.
func put(t testing.TB, at string, d digest.Digest, rest *io.SectionReader) {
	t.Helper()
	do(t, http.MethodPut, withDigest(at, d), nil, rest).want(t, http.StatusCreated)
}

// push sends c in PATCHes of chunk bytes; with chunk 0 all comes with the PUT.
func push(t testing.TB, base, repo string, c content, chunk int64) {
	t.Helper()
	at := begin(t, base, repo)
	if chunk == 0 {
		put(t, at, c.digest(), c.reader())
		return
	}
	for off := int64(0); off < c.size; off += chunk {
		at = patch(t, at, c, off, min(off+chunk, c.size))
	}
	put(t, at, c.digest(), nil)
}

// pull reads a blob, following redirects, and checks it.
func pull(t testing.TB, base, repo string, d digest.Digest, size int64) {
	t.Helper()
	at := base + "/v2/" + repo + "/blobs/" + d.String()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := following.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h := d.Algorithm().Digester()
	n, err := io.Copy(h.Hash(), res.Body)
	if res.StatusCode != http.StatusOK || err != nil || n != size || h.Digest() != d {
		t.Fatalf("GET %s: %s, %d bytes of %s (%v), want %d", at, res.Status, n, h.Digest(), err, size)
	}
}

// pullSame is pull of c, byte by byte: for large ones a digest takes longer.
func pullSame(t testing.TB, base, repo string, c content) {
	t.Helper()
	at := base + "/v2/" + repo + "/blobs/" + c.digest().String()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := following.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ContentLength != c.size {
		t.Fatalf("GET %s: %s, %d bytes, want %d", at, res.Status, res.ContentLength, c.size)
	}
	got, want := make([]byte, 256<<10), make([]byte, 256<<10)
	for off := int64(0); off < c.size; {
		n, err := io.ReadFull(res.Body, got[:min(int64(len(got)), c.size-off)])
		_, _ = c.ReadAt(want[:n], off)
		if err != nil || !bytes.Equal(got[:n], want[:n]) {
			t.Fatalf("GET %s: other bytes after %d (%v)", at, off, err)
		}
		off += int64(n)
	}
}

// withDigest adds what ends an upload to its URL.
func withDigest(at string, d digest.Digest) string { return at + "&digest=" + d.String() }

// onReplica is an upload's URL at another replica.
func onReplica(t testing.TB, base, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return base + u.RequestURI()
}
