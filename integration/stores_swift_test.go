//go:build stores

package integration_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/internal/layout"
)

// TestSwiftDriver moves a registry that distribution's driver for Swift has written, with blobs in
// segments, to another store, and the registry that it becomes is served.
func TestSwiftDriver(t *testing.T) {
	c := s3Cloud{S3: emulator.NewStore(t, "swift")}.learn(t)
	container := c.newBucket(t)
	const root = "old/files"
	before := serving(t, c.env(t), byFile(t, under(c.bare(container), root)))
	pushed := migrating(t, before.url, 2, 20*mib)
	before.kill()

	b := look(t, c, container)
	swift := newSwift(t, c, container)
	l := layout.Layout{Root: root + "/" + layout.DefaultRoot}
	large := 0
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{Prefix: l.Blobs()}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Size > mib {
			swift.segment(b, e.Key, fmt.Sprintf("old/segments/%03d/", large))
			large++
		}
	}
	if large < 2 {
		t.Fatalf("%d blobs are in segments, want some", large)
	}
	at := t.TempDir()
	if got := finished(t, launch(t, c.env(t), "copy", "--json", under(c.bare(container), root), "file://"+at)); !got.Complete {
		t.Errorf("%+v", got)
	}
	wantMigrated(t, serving(t, nil, byFile(t, "file://"+at)).url, pushed)
	again := finished(t, launch(t, c.env(t), "copy", "--json", under(c.bare(container), root), "file://"+at))
	if !again.Complete || again.Blobs != 0 {
		t.Errorf("again: %+v, want nothing copied", again)
	}
}

// under is a folder of the bucket that a URL names.
func under(bucket, folder string) string {
	return strings.Replace(bucket, "?", "/"+folder+"?", 1)
}

// swiftContainer is a container by Swift's own API.
type swiftContainer struct {
	t          *testing.T
	url, token string
}

func newSwift(t *testing.T, c s3Cloud, container string) swiftContainer {
	t.Helper()
	s := swiftContainer{t: t}
	res := s.do(http.MethodGet, c.Endpoint+"/auth/v1.0", http.Header{"X-Auth-User": {c.AccessKey}, "X-Auth-Key": {c.SecretKey}}, nil)
	s.url, s.token = res.Header.Get("X-Storage-Url")+"/"+container, res.Header.Get("X-Auth-Token")
	return s
}

func (s swiftContainer) do(method, url string, header http.Header, body []byte) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header
	res, err := following.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %s: %s", method, req.URL.Path, res.Status, text)
	}
	return res
}

// segment has an object consist of segments, as the driver has it: it is empty then, and names the
// prefix of its segments.
func (s swiftContainer) segment(b driver.Bucket, key, prefix string) {
	s.t.Helper()
	r, err := b.Open(s.t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	const size = 5 * mib
	for n := 0; ; n++ {
		p := make([]byte, size)
		got, err := io.ReadFull(r, p)
		if got > 0 {
			s.do(http.MethodPut, fmt.Sprintf("%s/%s%016d", s.url, prefix, n), http.Header{"X-Auth-Token": {s.token}}, p[:got])
		}
		if err != nil {
			break
		}
	}
	container := s.url[strings.LastIndex(s.url, "/")+1:]
	s.do(http.MethodPut, s.url+"/"+key, http.Header{"X-Auth-Token": {s.token}, "X-Object-Manifest": {container + "/" + prefix}}, nil)
}
