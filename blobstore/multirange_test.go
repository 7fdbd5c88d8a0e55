package blobstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/meter"
)

// rangePart is one of multipart/byteranges.
type rangePart struct {
	contentRange string
	data         []byte
}

// readParts reads an answer's parts.
func readParts(t *testing.T, res *http.Response) []rangePart {
	t.Helper()
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("%s, Content-Type %q", res.Status, res.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Content-Length") != strconv.Itoa(len(body)) {
		t.Fatalf("%d bytes announced as %s, %v", len(body), res.Header.Get("Content-Length"), err)
	}
	var parts []rangePart
	for r := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatalf("part %d: %v", len(parts), err)
		}
		data, err := io.ReadAll(p)
		if err != nil || p.Header.Get("Content-Type") != "application/octet-stream" {
			t.Fatalf("part %d: Content-Type %q, %v", len(parts), p.Header.Get("Content-Type"), err)
		}
		parts = append(parts, rangePart{p.Header.Get("Content-Range"), data})
	}
}

// TestMultirange asks for several ranges at once. Each is a part, in the order asked for,
// and ranges that lie together cost one request.
func TestMultirange(t *testing.T) {
	p := content(7, 12<<20)
	size := int64(len(p))
	var calls meter.Counter
	// The store signs: a redirect would lose all ranges.
	repo, d := serving(t, signs{meter.Wrap(newBucket(t), calls.Observe), signed}, blobstore.Options{}, p)
	at := func(off, n int64) driver.Range { return driver.Range{Off: off, Len: n} }
	var most []string
	var mostWant []driver.Range
	for i := range int64(1024) {
		most, mostWant = append(most, fmt.Sprintf("%d-%d", i*4000, i*4000+9)), append(mostWant, at(i*4000, 10))
	}
	for _, tt := range []struct {
		name, ranges string
		want         []driver.Range
		requests     int64
	}{
		{"adjacent", "0-9,10-19,20-29", []driver.Range{at(0, 10), at(10, 10), at(20, 10)}, 1},
		{"short gaps", "0-9, 1000-1009, 3000-3009", []driver.Range{at(0, 10), at(1000, 10), at(3000, 10)}, 1},
		{"long gaps", "0-9,1000000-1000009,2000000-2000009", []driver.Range{at(0, 10), at(1_000_000, 10), at(2_000_000, 10)}, 3},
		{"suffix and open", "100-199,-10", []driver.Range{at(100, 100), at(size-10, 10)}, 2},
		{"beyond the end", fmt.Sprintf("100-199,%d-,%d-9999999999999999999999", size, size-4), []driver.Range{at(100, 100), at(size-4, 4)}, 2},
		{"descending", "1000000-1000009,0-9", []driver.Range{at(1_000_000, 10), at(0, 10)}, 2},
		{"overlapping", "0-99,50-149", []driver.Range{at(0, 100), at(50, 100)}, 2},
		{"long and adjacent", "0-5999999,6000000-11999999", []driver.Range{at(0, 6_000_000), at(6_000_000, 6_000_000)}, 1},
		{"long with a short gap", "0-1999999,2000100-2999999", []driver.Range{at(0, 2_000_000), at(2_000_100, 999_900)}, 1},
		{"short, long, short", "0-9,1000000-2999999,4000000-4000009", []driver.Range{at(0, 10), at(1_000_000, 2_000_000), at(4_000_000, 10)}, 3},
		{"as many as there may be", strings.Join(most, ","), mostWant, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{"Range": "bytes=" + tt.ranges}
			calls.Reset()
			res := serve(t, repo, d, http.MethodGet, header)
			if res.StatusCode != http.StatusPartialContent {
				t.Fatalf("GET: %s", res.Status)
			}
			got := readParts(t, res)
			if n := requests(&calls); n[driver.OpOpen] != tt.requests || len(n) > 1 {
				t.Errorf("requests %v, want %d", n, tt.requests)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d parts, want %d", len(got), len(tt.want))
			}
			for i, r := range tt.want {
				want := fmt.Sprintf("bytes %d-%d/%d", r.Off, r.Off+r.Len-1, size)
				if got[i].contentRange != want || !bytes.Equal(got[i].data, p[r.Off:r.Off+r.Len]) {
					t.Errorf("part %d: %d bytes, Content-Range %q, want %q", i, len(got[i].data), got[i].contentRange, want)
				}
			}
			head := serve(t, repo, d, http.MethodHead, header)
			if head.StatusCode != res.StatusCode || !maps.EqualFunc(head.Header, res.Header, equalValues) {
				t.Errorf("HEAD: %s %v, GET: %s %v", head.Status, head.Header, res.Status, res.Header)
			}
			if n := requests(&calls); !maps.Equal(n, map[driver.Op]int64{driver.OpOpen: 1, driver.OpStat: 1}) {
				t.Errorf("HEAD: requests %v, want those of its lookup", n)
			}
		})
	}
}

func equalValues(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

// TestRangesOfHeadAndGet has HEAD and GET agree, also on ranges that are ignored, refused,
// or conditional.
func TestRangesOfHeadAndGet(t *testing.T) {
	p := content(8, 10_000)
	repo, d := serving(t, newBucket(t), blobstore.Options{}, p)
	tag, other := `"`+d.String()+`"`, `"sha256:0"`
	tooMany := "bytes=" + strings.Repeat("0-0,", 1024) + "1-1"
	for _, tt := range []struct {
		name   string
		header map[string]string
		status int
		want   []byte // nil where the body is not the content's
	}{
		{"all", nil, 200, p},
		{"one", map[string]string{"Range": "bytes=10-19"}, 206, p[10:20]},
		{"unit in capitals", map[string]string{"Range": "Bytes=10-19"}, 206, p[10:20]},
		{"empty elements", map[string]string{"Range": "bytes=,10-19, ,"}, 206, p[10:20]},
		{"one that is there", map[string]string{"Range": "bytes=20000-,10-19"}, 206, p[10:20]},
		{"suffix beyond the start", map[string]string{"Range": "bytes=-20000"}, 206, p},
		{"several", map[string]string{"Range": "bytes=0-9,20-29"}, 206, nil},
		{"another unit", map[string]string{"Range": "items=0-9"}, 200, p},
		{"no unit", map[string]string{"Range": "0-9"}, 200, p},
		{"no numbers", map[string]string{"Range": "bytes=abc"}, 200, p},
		{"no set", map[string]string{"Range": "bytes="}, 200, p},
		{"a dash alone", map[string]string{"Range": "bytes=-"}, 200, p},
		{"signs", map[string]string{"Range": "bytes=+1-+5"}, 200, p},
		{"backwards", map[string]string{"Range": "bytes=9-0"}, 200, p},
		{"one of several malformed", map[string]string{"Range": "bytes=0-9,x"}, 200, p},
		{"too many", map[string]string{"Range": tooMany}, 200, p},
		{"more than all", map[string]string{"Range": "bytes=0-,0-"}, 200, p},
		{"no suffix", map[string]string{"Range": "bytes=-0"}, 416, nil},
		{"behind the end", map[string]string{"Range": "bytes=10000-"}, 416, nil},
		{"all behind the end", map[string]string{"Range": "bytes=10000-,99999999999999999999-"}, 416, nil},
		{"several, unchanged", map[string]string{"Range": "bytes=0-9,20-29", "If-None-Match": other + ", W/" + tag}, 304, nil},
		{"several, gone", map[string]string{"Range": "bytes=0-9,20-29", "If-Match": other}, 412, nil},
		{"several, still this", map[string]string{"Range": "bytes=0-9,20-29", "If-Range": tag}, 206, nil},
		{"several, another now", map[string]string{"Range": "bytes=0-9,20-29", "If-Range": other}, 200, p},
		{"behind the end, another now", map[string]string{"Range": "bytes=10000-", "If-Range": other}, 200, p},
		{"weak If-Range", map[string]string{"Range": "bytes=0-9", "If-Range": "W/" + tag}, 200, p},
	} {
		get, head := serve(t, repo, d, http.MethodGet, tt.header), serve(t, repo, d, http.MethodHead, tt.header)
		body, err := io.ReadAll(get.Body)
		if err != nil || get.StatusCode != tt.status || tt.want != nil && !bytes.Equal(body, tt.want) {
			t.Errorf("%s: %s with %d bytes, want %d with %d", tt.name, get.Status, len(body), tt.status, len(tt.want))
		}
		if head.StatusCode != get.StatusCode || !maps.EqualFunc(head.Header, get.Header, equalValues) {
			t.Errorf("%s: HEAD %s %v, GET %s %v", tt.name, head.Status, head.Header, get.Status, get.Header)
		}
		if want := fmt.Sprintf("bytes */%d", len(p)); tt.status == 416 && get.Header.Get("Content-Range") != want {
			t.Errorf("%s: Content-Range %q, want %q", tt.name, get.Header.Get("Content-Range"), want)
		}
	}
}

// TestConditionLines has conditions in several lines, which are one list.
func TestConditionLines(t *testing.T) {
	repo, d := serving(t, newBucket(t), blobstore.Options{}, content(1, 100))
	tag := `"` + d.String() + `"`
	for name, status := range map[string]int{"If-None-Match": 304, "If-Match": 200} {
		req, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		req.Header[name] = []string{`"other", "another"`, tag}
		if err := repo.ServeBlob(t.Context(), w, req, d); err != nil || w.Code != status {
			t.Errorf("%s: %d, %v, want %d", name, w.Code, err, status)
		}
	}
}

// TestMultirangeBreaks has the store fail under several ranges. What breaks off is resumed;
// what fails before the first byte is an error and leaves the headers as they were.
func TestMultirangeBreaks(t *testing.T) {
	p := content(9, 3<<20)
	ranges := map[string]string{"Range": "bytes=0-1999,1000000-2999999"}
	for _, after := range []int64{500, 100_000} {
		repo, d := serving(t, breaking(newBucket(t), after, 1), blobstore.Options{}, p)
		got := readParts(t, serve(t, repo, d, http.MethodGet, ranges))
		if len(got) != 2 || !bytes.Equal(got[0].data, p[:2000]) || !bytes.Equal(got[1].data, p[1_000_000:3_000_000]) {
			t.Errorf("broken after %d: %d parts", after, len(got))
		}
	}
	for _, tt := range []struct {
		kind driver.Kind
		want error
	}{{driver.NotFound, distribution.ErrBlobUnknown}, {driver.Denied, driver.Denied}} {
		b := fault.Wrap(newBucket(t), fault.Script{{Op: driver.OpOpen, Key: "*/blobs/*", Where: fault.Before, Kind: tt.kind}})
		repo, d := serving(t, b, blobstore.Options{}, p)
		req, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		req.Header.Set("Range", ranges["Range"])
		w.Header().Set("Content-Type", "text/x-given")
		err := repo.ServeBlob(t.Context(), w, req, d)
		if !errors.Is(err, tt.want) || w.Body.Len() > 0 || len(w.Header()) != 1 || w.Header().Get("Content-Type") != "text/x-given" {
			t.Errorf("%s: %v, headers %v, %d bytes", tt.kind, err, w.Header(), w.Body.Len())
		}
	}
}

// TestGivenHeaders has the caller's headers stand, and conditions compare its ETag.
func TestGivenHeaders(t *testing.T) {
	repo, d := serving(t, newBucket(t), blobstore.Options{}, content(1, 100))
	given := map[string]string{"Content-Type": "application/vnd.example", "ETag": `"given"`, "Cache-Control": "no-store", "Docker-Content-Digest": "sha256:given"}
	for _, tt := range []struct {
		header map[string]string
		status int
	}{{nil, 200}, {map[string]string{"Range": "bytes=0-9"}, 206}, {map[string]string{"If-None-Match": `"given"`}, 304}} {
		req, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		for name, v := range tt.header {
			req.Header.Set(name, v)
		}
		for name, v := range given {
			w.Header().Set(name, v)
		}
		if err := repo.ServeBlob(t.Context(), w, req, d); err != nil || w.Code != tt.status {
			t.Errorf("%v: %d, %v", tt.header, w.Code, err)
		}
		for name, v := range given {
			if got := w.Header().Get(name); got != v && (name != "Content-Type" || tt.status != 304) {
				t.Errorf("%v: %s is %q, want %q", tt.header, name, got, v)
			}
		}
	}
}
