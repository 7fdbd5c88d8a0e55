package gcs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

func section(data string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(data), 0, int64(len(data)))
}

func content(t *testing.T, b driver.Bucket, key string) string {
	t.Helper()
	rd, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rd.Close() }()
	got, err := io.ReadAll(rd)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestBodyReleased overwrites the caller's memory as soon as a call has returned.
func TestBodyReleased(t *testing.T) {
	f := newFake(t, "bucket")
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable) // before the body was read
		return true
	}
	data := make([]byte, 8<<20)
	for range 10 {
		_, err := b.Put(t.Context(), "key", io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), driver.WriteOptions{})
		if !errors.Is(err, driver.Unavailable) {
			t.Fatalf("got %v, want Unavailable", err)
		}
		for i := range data {
			data[i]++ // the race detector sees a reader
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	f.before = func(http.ResponseWriter, *http.Request) bool { cancel(); return true }
	_, err := b.Put(ctx, "key", io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), driver.WriteOptions{})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	for i := range data {
		data[i]++
	}
}
