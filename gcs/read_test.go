package gcs_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

// packed is text as gzip.
func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestOpenEncoded reads an object that another tool has stored with a Content-Encoding,
// which the store unpacks for others.
func TestOpenEncoded(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	want := packed(t, "a layer")
	if _, err := b.Put(t.Context(), "key", section(want), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.buckets["bucket"]["key"].ContentEncoding = "gzip"
	for _, r := range []driver.Range{{}, {Off: 5}, {Off: 2, Len: 7}} {
		rd, err := b.Open(t.Context(), "key", r, driver.ReadOptions{})
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		got, err := io.ReadAll(rd)
		_ = rd.Close()
		part := want[r.Off:]
		if r.Len > 0 {
			part = part[:r.Len]
		}
		if err != nil || string(got) != part || rd.Object.Size != int64(len(want)) || rd.Object.ContentEncoding != "gzip" {
			t.Errorf("%+v: got %q of %+v, %v, want %q", r, got, rd.Object, err, part)
		}
	}
	obj, err := b.Stat(t.Context(), "key")
	if err != nil || obj.ContentEncoding != "gzip" {
		t.Errorf("Stat: %+v, %v", obj, err)
	}
	page, err := b.ListPage(t.Context(), driver.ListRequest{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ContentEncoding != "gzip" {
		t.Errorf("ListPage: %+v, %v", page.Items, err)
	}
	// What is written anew has none.
	if obj, err = b.Put(t.Context(), "key", section(want), driver.WriteOptions{}); err != nil || obj.ContentEncoding != "" {
		t.Errorf("Put: %+v, %v", obj, err)
	}
}
