package s3

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/blobdock/blobdock/driver"
)

// serve answers GET with status, the header lines and body.
func serve(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"etag"`)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestOpen(t *testing.T) {
	tests := []struct {
		name    string
		r       driver.Range
		answer  http.HandlerFunc
		want    string
		size    int64
		openErr error
		readErr error
	}{
		{name: "all", answer: serve(200, "hello"), want: "hello", size: 5},
		{name: "empty", answer: serve(200, ""), want: "", size: 0},
		{name: "rest", r: driver.Range{Off: 3}, answer: serve(206, "llo", "Content-Range", "bytes 2-4/5"), want: "lo", size: 5},
		{name: "middle", r: driver.Range{Off: 1, Len: 2}, answer: serve(206, "hel", "Content-Range", "bytes 0-2/5"), want: "el", size: 5},
		{name: "nothing at the end", r: driver.Range{Off: 5}, answer: serve(206, "o", "Content-Range", "bytes 4-4/5"), want: "", size: 5},
		{name: "beyond the end", r: driver.Range{Off: 6}, answer: reject(416, "InvalidRange", ""), openErr: driver.OutOfRange},
		{name: "first byte of nothing", r: driver.Range{Len: 1}, answer: reject(416, "InvalidRange", ""), want: "", size: 0},
		{name: "ends early", answer: serve(200, "hel", "Content-Length", "5"), want: "hel", size: 5, readErr: io.ErrUnexpectedEOF},
		{name: "rest ends early", r: driver.Range{Off: 1}, answer: serve(206, "hel", "Content-Range", "bytes 0-4/5"), want: "el", size: 5, readErr: io.ErrUnexpectedEOF},
		{name: "ends before it begins", r: driver.Range{Off: 1}, answer: serve(206, "", "Content-Range", "bytes 0-4/5"), openErr: io.ErrUnexpectedEOF},
		{name: "range is ignored", r: driver.Range{Off: 2}, answer: serve(200, "hello"), openErr: driver.Unsupported},
		{name: "another range", r: driver.Range{Off: 2}, answer: serve(206, "lo", "Content-Range", "bytes 3-4/5"), openErr: driver.Unsupported},
		{name: "no size", r: driver.Range{Off: 2}, answer: serve(206, "ello", "Content-Range", "bytes 1-4/*"), openErr: driver.Unsupported},
		{name: "labelled gzip", answer: serve(200, "\x1f\x8bnot really", "Content-Encoding", "gzip"), want: "\x1f\x8bnot really", size: 12},
		{name: "longer than announced", r: driver.Range{Len: 2}, answer: serve(206, "hello", "Content-Range", "bytes 0-1/5"), want: "he", size: 5},
		{name: "negative", r: driver.Range{Off: -1}, openErr: driver.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, _ := fakeStore(t, tt.answer)
			r, err := b.Open(t.Context(), "key", tt.r, driver.ReadOptions{})
			if tt.openErr != nil {
				if !errors.Is(err, tt.openErr) {
					t.Errorf("got %v, want %v", err, tt.openErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			got, err := io.ReadAll(r)
			if string(got) != tt.want || !errors.Is(err, tt.readErr) {
				t.Errorf("got %q and %v, want %q and %v", got, err, tt.want, tt.readErr)
			}
			if r.Object.Size != tt.size || r.Object.Key != "key" {
				t.Errorf("object is %+v, want one of %d bytes", r.Object, tt.size)
			}
			if tt.readErr == nil && r.Range.Len != int64(len(tt.want)) || r.Range.Off != tt.r.Off {
				t.Errorf("range is %+v", r.Range)
			}
		})
	}
}

func TestStat(t *testing.T) {
	b, _ := fakeStore(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range map[string]string{
			"Content-Length": "12345678901", "Etag": "unquoted", "Last-Modified": "Tue, 01 Jan 2030 00:00:00 GMT",
			"Content-Type": "text/x-test", "X-Amz-Meta-SIZE": "5",
		} {
			w.Header()[name] = []string{value}
		}
	})
	got, err := b.Stat(t.Context(), "dir/key")
	if err != nil {
		t.Fatal(err)
	}
	want := driver.Object{
		Key: "dir/key", Size: 12345678901, ETag: `"unquoted"`, ModTime: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		ContentType: "text/x-test", Metadata: map[string]string{"size": "5"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

// The reply to a HEAD can't tell what is missing, so the bucket is asked for, once.
func TestStatAsksForBucketOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		bucket int // status of HEAD on the bucket
		first  driver.Kind
		second int // requests of the second Stat
	}{
		{"there", 200, driver.NotFound, 1},
		{"not to be asked", 403, driver.NotFound, 1},
		{"missing", 404, driver.NoBucket, 2},
		{"store fails", 500, driver.Unavailable, 2},
		{"store is away", 503, driver.Unavailable, 2},
		{"store is busy", 429, driver.Throttled, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/bucket" {
					w.WriteHeader(tt.bucket)
					return
				}
				w.WriteHeader(404)
			})
			_, err := b.Stat(t.Context(), "key")
			if driver.KindOf(err) != tt.first || driver.OutcomeUnknown(err) {
				t.Errorf("got %v, want %v", err, tt.first)
			}
			var e *driver.Error
			if !errors.As(err, &e) || e.Op != driver.OpStat || e.Key != "key" {
				t.Errorf("error is %+v", e)
			}
			if n := len(f.take()); n != 2 {
				t.Errorf("first Stat: %d requests, want 2", n)
			}
			_, _ = b.Stat(t.Context(), "key")
			if n := len(f.take()); n != tt.second {
				t.Errorf("second Stat: %d requests, want %d", n, tt.second)
			}
		})
	}
	t.Run("seen already", func(t *testing.T) {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(404)
			}
			w.Header().Set("Etag", `"etag"`)
		})
		if err := put(free)(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.NotFound) {
			t.Error(err)
		}
		if n := len(f.take()); n != 2 {
			t.Errorf("%d requests, want 2", n)
		}
	})
}

// Keys never show the prefix, which counts all the same.
func TestPrefix(t *testing.T) {
	prefix := strings.Repeat("p", 100)
	b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Has("uploads"):
			_, _ = fmt.Fprintf(w, `<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>%[1]s%%2Fa+b</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
				<Upload><Key>%[1]s%%2Fa+b</Key><UploadId>u1</UploadId><Initiated>2030-01-01T00:00:00Z</Initiated></Upload><Upload><Key>else/where</Key><UploadId>u3</UploadId></Upload></ListMultipartUploadsResult>`, prefix)
		case r.Method == http.MethodGet:
			_, _ = fmt.Fprintf(w, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>tok</NextContinuationToken>
				<Contents><Key>%[1]s%%2Fz%%2B%%C3%%BC+x</Key><Size>7</Size><ETag>&quot;e&quot;</ETag></Contents><Contents><Key>else/where</Key></Contents>
				<CommonPrefixes><Prefix>%[1]s/dir/</Prefix></CommonPrefixes></ListBucketResult>`, prefix)
		}
	}, func(c *Config) { c.Prefix = prefix })

	page, err := b.ListPage(t.Context(), driver.ListRequest{Delimiter: "/"})
	if err != nil {
		t.Fatal(err)
	}
	want := driver.Page[driver.Entry]{Next: "tok", Items: []driver.Entry{
		{Object: driver.Object{Key: "dir/"}, IsPrefix: true}, {Object: driver.Object{Key: "z+ü x", Size: 7, ETag: `"e"`}},
	}}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	uploads, err := b.UploadsPage(t.Context(), driver.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(uploads.Items) != 1 || uploads.Items[0].Key != "a b" || uploads.Items[0].ID != "u1" || uploads.Items[0].Started.Year() != 2030 || uploads.Next == "" {
		t.Errorf("uploads are %+v", uploads)
	}
	f.take()
	if _, err := b.UploadsPage(t.Context(), driver.ListRequest{Token: uploads.Next}); err != nil {
		t.Fatal(err)
	}
	if uri := f.take()[0].uri; !strings.Contains(uri, "key-marker="+prefix+"%2Fa%20b&") || !strings.Contains(uri, "upload-id-marker=u2") {
		t.Errorf("second page is asked for by %s", uri)
	}

	long := strings.Repeat("k", driver.MaxKey-len(prefix)-1)
	if _, err := b.Stat(t.Context(), long); err != nil {
		t.Errorf("longest key: %v", err)
	}
	f.take()
	_, err = b.Stat(t.Context(), long+"k")
	if !errors.Is(err, driver.Invalid) || strings.Contains(err.Error(), prefix) {
		t.Errorf("key that is too long: got %v", err)
	}
	if n := len(f.take()); n != 0 {
		t.Errorf("key that is too long: %d requests", n)
	}
}

// Without encoding-type in the answer the keys are as they are.
func TestListNotEncoded(t *testing.T) {
	b, _ := fakeStore(t, serve(200, `<ListBucketResult><Contents><Key>a+b%20c</Key></Contents></ListBucketResult>`))
	page, err := b.ListPage(t.Context(), driver.ListRequest{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Key != "a+b%20c" {
		t.Errorf("got %+v and %v", page, err)
	}
}

func TestListV1(t *testing.T) {
	const body = `<ListBucketResult><IsTruncated>true</IsTruncated><NextMarker>garbled</NextMarker>%s</ListBucketResult>`
	tests := []struct{ items, next string }{
		{`<Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents>`, "b"},
		{`<Contents><Key>a</Key></Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>`, "b/" + lastRune},
		{`<Contents><Key>c</Key></Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>`, "c"},
	}
	for _, tt := range tests {
		b, _ := fakeStore(t, serve(200, fmt.Sprintf(body, tt.items)), func(c *Config) { c.ListV1 = new(true) })
		page, err := b.ListPage(t.Context(), driver.ListRequest{Delimiter: "/"})
		if err != nil || page.Next != tt.next {
			t.Errorf("%s: got %q and %v, want %q", tt.items, page.Next, err, tt.next)
		}
	}
	b, f := fakeStore(t, serve(200, `<ListBucketResult/>`), func(c *Config) { c.ListV1 = new(true) })
	for after, want := range map[string]int{"a": 1, "m/x": 1, "z": 0} {
		if _, err := b.ListPage(t.Context(), driver.ListRequest{Prefix: "m/", StartAfter: after}); err != nil {
			t.Errorf("after %q: %v", after, err)
		}
		if n := len(f.take()); n != want {
			t.Errorf("after %q: %d requests, want %d", after, n, want)
		}
	}
}

func TestDeleteBatch(t *testing.T) {
	b, _ := fakeStore(t, serve(200, `<DeleteResult>
		<Error><Key>p/a</Key><Code>NoSuchKey</Code></Error>
		<Error><Key>p/b</Key><Code>AccessDenied</Code><Message>no</Message></Error>
		<Error><Key>p/c</Key><Code>InternalError</Code></Error></DeleteResult>`), func(c *Config) { c.Prefix = "p" })
	err := b.features.DeleteBatch(t.Context(), driver.Refs("a", "b", "c"))
	var e *driver.Error
	if !errors.As(err, &e) || e.Kind != driver.Denied || e.Key != "b" || e.Code != "AccessDenied" || !strings.Contains(err.Error(), "2 of 3 keys") {
		t.Errorf("got %v", err)
	}
	b, f := fakeStore(t, serve(200, `<DeleteResult><Error><Key>a</Key><Code>NoSuchKey</Code></Error></DeleteResult>`))
	if err := b.features.DeleteBatch(t.Context(), driver.Refs("a")); err != nil {
		t.Errorf("absent key: %v", err)
	}
	f.take()
	if err := b.features.DeleteBatch(t.Context(), nil); err != nil || len(f.take()) != 0 {
		t.Errorf("no keys: %v", err)
	}
	if err := b.features.DeleteBatch(t.Context(), make([]driver.ObjectRef, 1001)); !errors.Is(err, driver.Invalid) {
		t.Errorf("too many keys: %v", err)
	}
}

// TestCopyToAbsent has a condition on a destination that is not there, which S3 answers by
// 404, as it does for a source.
func TestCopyToAbsent(t *testing.T) {
	for _, sourceThere := range []bool{true, false} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut || !sourceThere {
				reject(404, "NoSuchKey", "")(w, r)
				return
			}
			answers(w, r)
		}, func(c *Config) { c.Profile = "aws" })
		b.seen.Store(true)
		want := driver.NotFound
		if sourceThere {
			want = driver.Mismatch
		}
		_, err := b.features.Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "dst", Options: driver.WriteOptions{Cond: driver.Cond{IfMatch: `"e"`}}})
		if !errors.Is(err, want) {
			t.Errorf("source there: %t: got %v, want %v", sourceThere, err, want)
		}
		if got := f.take(); len(got) != 2 || got[1].method != http.MethodHead {
			t.Errorf("source there: %t: requests %v", sourceThere, got)
		}
	}
}

// TestHeaderOfEveryRequest has a bucket of somebody else, who bills the requester.
func TestHeaderOfEveryRequest(t *testing.T) {
	b, f := fakeStore(t, answers, func(c *Config) { c.RequesterPays, c.BucketOwner = true, "123456789012" })
	everyVerb(t, b, func(op driver.Op, err error) {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
		for _, r := range f.take() {
			if r.header.Get("X-Amz-Request-Payer") != "requester" || r.header.Get("X-Amz-Expected-Bucket-Owner") != "123456789012" {
				t.Errorf("%s: the request has %v", op, r.header)
			}
			for _, name := range []string{"x-amz-request-payer", "x-amz-expected-bucket-owner"} {
				if !strings.Contains(r.header.Get("Authorization"), name) {
					t.Errorf("%s: %s is not signed", op, name)
				}
			}
		}
	})
	u, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "k", Expires: time.Minute})
	if err != nil || !strings.Contains(u.URL, "x-amz-request-payer=requester") && !strings.Contains(u.URL, "X-Amz-Request-Payer=requester") || len(u.Header) != 0 {
		t.Errorf("signed URL: %s with %v, %v", u.URL, u.Header, err)
	}
}
