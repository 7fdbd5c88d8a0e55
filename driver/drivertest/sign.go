package drivertest

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

func sign(t *testing.T, s suite) {
	b := s.New(t)
	data := content("signed", 10_000)
	const key = "dir/signed +&=;#?%20é"
	put(t, b, key, data)
	signed := func(r driver.SignRequest) driver.SignedURL {
		t.Helper()
		r.Expires = 10 * time.Minute
		u := must[driver.SignedURL](t, "Sign "+r.Method)(b.Features().Sign(t.Context(), r))
		if left := time.Until(u.Expires); left <= 0 || left > 11*time.Minute {
			t.Errorf("Sign %s for 10m: expires in %v", r.Method, left)
		}
		return u
	}
	send := func(method string, u driver.SignedURL, body []byte) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, u.URL, bytes.NewReader(body))
		noError(t, "request", err)
		for k, v := range u.Header {
			req.Header[k] = v
		}
		resp, err := s.Client.Do(req)
		noError(t, method+" "+u.String(), err)
		defer func() { _ = resp.Body.Close() }()
		got, err := io.ReadAll(resp.Body)
		noError(t, "read", err)
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent && resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s: status %s: %s", method, u, resp.Status, got)
		}
		return resp, got
	}

	_, got := send(http.MethodGet, signed(driver.SignRequest{Method: http.MethodGet, Key: key}), nil)
	if !bytes.Equal(got, data) {
		t.Errorf("GET of a signed URL: got %d bytes %.16x, want %d bytes %.16x", len(got), got, len(data), data)
	}
	ranged := signed(driver.SignRequest{Method: http.MethodGet, Key: key})
	if ranged.Header == nil {
		ranged.Header = http.Header{}
	}
	ranged.Header.Set("Range", "bytes=100-199")
	resp, got := send(http.MethodGet, ranged, nil)
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(got, data[100:200]) {
		t.Errorf("GET of a range: status %s, %d bytes", resp.Status, len(got))
	}
	resp, _ = send(http.MethodHead, signed(driver.SignRequest{Method: http.MethodHead, Key: key}), nil)
	if resp.ContentLength != int64(len(data)) {
		t.Errorf("HEAD of a signed URL: content length %d, want %d", resp.ContentLength, len(data))
	}

	resp, _ = send(http.MethodGet, signed(driver.SignRequest{Method: http.MethodGet, Key: key,
		ContentType: "application/vnd.test+json", CacheControl: "max-age=77, immutable", ContentDisposition: `attachment; filename="a b"`}), nil)
	for name, want := range map[string]string{
		"Content-Type": "application/vnd.test+json", "Cache-Control": "max-age=77, immutable", "Content-Disposition": `attachment; filename="a b"`,
	} {
		if name == "Cache-Control" && s.excepted(t, "sign/cache-control") {
			continue
		}
		if got := resp.Header.Get(name); got != want {
			t.Errorf("GET with overrides: %s is %q, want %q", name, got, want)
		}
	}

	if b.Features().Uploads != nil && !s.excepted(t, "sign/part") {
		upload := create(t, b, "parts")
		part := content("part", partSize(b))
		resp, _ = send(http.MethodPut, signed(driver.SignRequest{Method: http.MethodPut, Key: "parts", Upload: upload, Part: 1}), part)
		complete(t, b, upload, driver.Part{Number: 1, Size: int64(len(part)), ETag: resp.Header.Get("ETag")})
		wantContent(t, b, "parts", part)
	}

	_, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: http.MethodDelete, Key: key, Expires: time.Minute})
	wantKind(t, "Sign DELETE", err, driver.Unsupported)
}
