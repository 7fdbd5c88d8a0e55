package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/bench/content"
	"github.com/blobdock/blobdock/driver"
)

// visit is what one client does at one registry. Its connections are its own.
type visit struct {
	base   string
	client *http.Client
	bucket driver.Bucket // only while a bucket is prepared
}

func newVisit(base string, s store) *visit {
	t := &http.Transport{
		MaxIdleConnsPerHost: clients,
		DisableCompression:  true,
		// Large, so that the client is not what is measured.
		WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10,
	}
	s.lead(t)
	return &visit{base: base, client: &http.Client{Transport: t}}
}

func (v *visit) close() { v.client.CloseIdleConnections() }

// do makes one request that must be answered with the status want, and leaves the
// answer's body to the caller.
func (v *visit) do(ctx context.Context, method, at string, header http.Header, body *io.SectionReader, want int) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		r = io.NopCloser(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, at, r)
	if err != nil {
		return nil, err
	}
	for k, vs := range header {
		req.Header[k] = vs
	}
	if body != nil {
		req.ContentLength = body.Size()
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := v.client.Do(req)
	if err != nil {
		return nil, withoutQuery(err)
	}
	if res.StatusCode != want {
		defer res.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return nil, fmt.Errorf("%s %s: %s, want %d: %s", method, req.URL.Path, res.Status, want, brief(string(text)))
	}
	return res, nil
}

// withoutQuery takes a signed URL's signature from an error.
func withoutQuery(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // http.Client returns it as it is
		e.URL, _, _ = strings.Cut(e.URL, "?")
	}
	return err
}

// done is do for answers whose body does not matter.
func (v *visit) done(ctx context.Context, method, at string, body *io.SectionReader, want int) (http.Header, error) {
	res, err := v.do(ctx, method, at, nil, body, want)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.Header, err
}

func (v *visit) blob(repo string, d digest.Digest) string {
	return v.base + "/v2/" + repo + "/blobs/" + d.String()
}

// warm makes the registry look at its bucket for the first time, and changes
// nothing in it.
func (v *visit) warm(ctx context.Context) error {
	_, err := v.done(ctx, http.MethodGet, v.blob("bench/warm", digest.FromString("not there")), nil, http.StatusNotFound)
	return err
}

// ensure has c in the repository that is pulled from.
func (v *visit) ensure(ctx context.Context, c content.Content) error {
	if _, err := v.done(ctx, http.MethodHead, v.blob(pulled, digestOf(c)), nil, http.StatusOK); err == nil {
		return nil
	}
	return v.pushMono(ctx, pulled, c)
}

// pulled is the repository that is pulled from.
const pulled = "bench/pull"
