package laws_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

func listPages(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "list-pages")
	for _, name := range []string{"a", "b/1", "b/2", "c", "d/1", "e/1", "f"} {
		c.put(t, &storage.Object{Name: name}, "1")
	}
	for _, tt := range []struct {
		name string
		call *storage.ObjectsListCall
		want []string // pages
	}{
		{"with a delimiter", c.List(c.bucket).Delimiter("/").MaxResults(2), []string{"a b/", "c d/", "f e/"}},
		{"a last page that is not full", c.List(c.bucket).Delimiter("/").MaxResults(5), []string{"a c b/ d/ e/", "f"}},
		{"one page", c.List(c.bucket).Delimiter("/"), []string{"a c f b/ d/ e/"}},
		{"without a delimiter", c.List(c.bucket).MaxResults(4), []string{"a b/1 b/2 c", "d/1 e/1 f"}},
		{"below a prefix", c.List(c.bucket).Prefix("b/").Delimiter("/").MaxResults(1), []string{"b/1", "b/2"}},
		{"from an offset within a prefix", c.List(c.bucket).StartOffset("b/2").EndOffset("e").Delimiter("/"), []string{"c b/ d/"}},
		{"nothing", c.List(c.bucket).Prefix("z"), []string{""}},
	} {
		var got []string
		err := tt.call.Pages(t.Context(), func(page *storage.Objects) error {
			var entries []string
			for _, o := range page.Items {
				entries = append(entries, o.Name)
			}
			got = append(got, strings.Join(append(entries, page.Prefixes...), " "))
			return nil
		})
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: pages %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
	_, err := c.List(c.bucket).PageToken("?").Do()
	wantReason(t, "a token of another's", err, "400 invalid")
	_, err = c.List("no-such-bucket").Do()
	wantReason(t, "no bucket", err, "404 notFound")
}

func transcoding(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "transcoding")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("content"))
	_ = z.Close()
	c.put(t, &storage.Object{Name: "d/packed", ContentEncoding: "gzip"}, packed.String())
	c.put(t, &storage.Object{Name: "fixed", ContentEncoding: "gzip", CacheControl: "public, no-transform"}, packed.String())
	c.put(t, &storage.Object{Name: "plain"}, "content")
	for _, tt := range []struct {
		name, accepts string
		status        int
		body          string
		length        int64 // -1 is untold
		encoding      string
	}{
		{"d/packed", "", http.StatusOK, "content", -1, ""},
		{"d/packed", "gzip", http.StatusPartialContent, packed.String()[2:5], 3, "gzip"},
		{"fixed", "", http.StatusPartialContent, packed.String()[2:5], 3, "gzip"},
		{"plain", "", http.StatusPartialContent, "nte", 3, ""},
	} {
		for _, path := range []string{"/%s/%s?", "/storage/v1/b/%s/o/%s?alt=media", "/download/storage/v1/b/%s/o/%s?alt=media"} {
			if strings.HasPrefix(path, "/%s") && tt.accepts == "" {
				path += "X-Goog-Signature=1&X-Goog-Algorithm=GOOG4-RSA-SHA256"
			}
			header := []string{"Range", "bytes=2-4"}
			if tt.accepts != "" {
				header = append(header, "Accept-Encoding", tt.accepts)
			}
			at := fmt.Sprintf(path, c.bucket, url.PathEscape(tt.name))
			res, body := c.fetch(t, http.MethodGet, at, "", header...)
			if res.StatusCode != tt.status || body != tt.body || res.ContentLength != tt.length || res.Header.Get("Content-Encoding") != tt.encoding {
				t.Errorf("%s, accepting %q: %s, %q, length %d, encoding %q, want %+v", at, tt.accepts, res.Status, body, res.ContentLength, res.Header.Get("Content-Encoding"), tt)
			}
			if tt.name != "plain" && (res.Header.Get("X-Goog-Stored-Content-Encoding") != "gzip" || res.Header.Get("X-Goog-Stored-Content-Length") != fmt.Sprint(packed.Len())) {
				t.Errorf("%s: what is stored is told as %v", at, res.Header)
			}
		}
	}
}

func signedExpiry(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "gcs-signed-expiry")
	c.put(t, &storage.Object{Name: "a"}, "1")
	v4 := func(ago time.Duration, seconds int) string {
		return fmt.Sprintf("X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=00&X-Goog-Date=%s&X-Goog-Expires=%d", time.Now().Add(-ago).UTC().Format("20060102T150405Z"), seconds)
	}
	v2 := func(at time.Time) string {
		return fmt.Sprintf("GoogleAccessId=a&Signature=00&Expires=%d", at.Unix())
	}
	for _, tt := range []struct {
		name, query, want string
	}{
		{"in time", v4(time.Minute, 120), "1"},
		{"too late", v4(time.Minute, 30), "ExpiredToken"},
		{"for too long", v4(0, 7*24*3600+1), "AuthenticationRequired"},
		{"version 2 in time", v2(time.Now().Add(time.Minute)), "1"},
		{"version 2 too late", v2(time.Now().Add(-time.Minute)), "ExpiredToken"},
		{"unsigned", "", "1"},
	} {
		res, body := c.fetch(t, http.MethodGet, "/"+c.bucket+"/a?"+tt.query, "")
		if want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[tt.want == "1"]; res.StatusCode != want || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s %s, want %s", tt.name, res.Status, body, tt.want)
		}
	}
}

func resumableStatus(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "resumable-status")
	res, _ := c.fetch(t, http.MethodPost, "/upload/storage/v1/b/"+c.bucket+"/o?uploadType=resumable", `{"name":"d/a b+c"}`, "Content-Type", "application/json")
	session, ok := strings.CutPrefix(res.Header.Get("Location"), c.endpoint)
	if !ok {
		t.Fatalf("the upload goes on at %s, which leads around the proxy", res.Header.Get("Location"))
	}
	status := func(sent, want, received string) {
		t.Helper()
		res, body := c.fetch(t, http.MethodPut, session, "", "Content-Range", sent)
		if res.Status != want || res.Header.Get("Range") != received {
			t.Errorf("status by %s: %s, range %q: %s, want %s, %q", sent, res.Status, res.Header.Get("Range"), body, want, received)
		}
	}
	const chunk = 256 << 10
	content := strings.Repeat("x", chunk) + "y"
	status("bytes */*", "308 Permanent Redirect", "")
	status(fmt.Sprintf("bytes */%d", len(content)), "308 Permanent Redirect", "")
	c.fetch(t, http.MethodPut, session, content[:chunk], "Content-Range", fmt.Sprintf("bytes 0-%d/%d", chunk-1, len(content)))
	status(fmt.Sprintf("bytes */%d", len(content)), "308 Permanent Redirect", fmt.Sprintf("bytes=0-%d", chunk-1))
	c.wantStored(t, "d/a b+c", "")
	c.fetch(t, http.MethodPut, session, content[chunk:], "Content-Range", fmt.Sprintf("bytes %d-%d/%d", chunk, chunk, len(content)))
	c.wantStored(t, "d/a b+c", content)
	status("bytes */*", "200 OK", "")

	// The SDK learns the size at the end, and tells it by an empty chunk.
	wantReason(t, "an upload by the SDK", c.resumable("sdk"), "")
	c.wantStored(t, "sdk", strings.Repeat("x", chunk+1))
	_, err := c.Insert(c.bucket, &storage.Object{Name: "aligned"}).ResumableMedia(context.Background(), strings.NewReader(strings.Repeat("x", 2*chunk)), 2*chunk, "").Do() //nolint:staticcheck // it has a call for it
	wantReason(t, "an upload of whole chunks by the SDK", err, "")
}
