package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

var ifAbsent = driver.Cond{IfAbsent: true}

func ifMatch(etag string) driver.Cond { return driver.Cond{IfMatch: etag} }

// under is options with nothing but a condition.
func under(c driver.Cond) driver.WriteOptions { return driver.WriteOptions{Cond: c} }

// content is n bytes that depend on seed alone.
func content(seed string, n int64) []byte {
	var key [32]byte
	copy(key[:], seed)
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(data)
	return data
}

func section(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// put stores data unconditionally and checks what Put says about it.
func put(t testing.TB, b driver.Bucket, key string, data []byte) driver.Object {
	t.Helper()
	obj, err := b.Put(t.Context(), key, section(data), driver.WriteOptions{})
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	if obj.Key != key || obj.Size != int64(len(data)) || obj.ETag == "" {
		t.Fatalf("Put(%q) of %d bytes says %+v", key, len(data), obj)
	}
	return obj
}

// get reads r of the object at key to its end.
func get(t testing.TB, b driver.Bucket, key string, r driver.Range) []byte {
	t.Helper()
	data, err := read(t, b, key, r, driver.ReadOptions{})
	if err != nil {
		t.Fatalf("Open(%q, %+v): %v", key, r, err)
	}
	return data
}

func read(t testing.TB, b driver.Bucket, key string, r driver.Range, o driver.ReadOptions) ([]byte, error) {
	t.Helper()
	rd, err := b.Open(t.Context(), key, r, o)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(rd)
	if err != nil {
		_ = rd.Close()
		return nil, err
	}
	if err := rd.Close(); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	if int64(len(data)) != rd.Range.Len {
		return nil, fmt.Errorf("read %d bytes, the reader announced %+v", len(data), rd.Range)
	}
	return data, nil
}

// wantContent checks the bytes at key, and that Stat agrees about the size.
func wantContent(t testing.TB, b driver.Bucket, key string, want []byte) {
	t.Helper()
	if got := get(t, b, key, driver.Range{}); !bytes.Equal(got, want) {
		t.Errorf("content of %q: got %d bytes %.16x, want %d bytes %.16x", key, len(got), got, len(want), want)
	}
	obj, err := b.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("Stat(%q): %v", key, err)
	}
	if obj.Size != int64(len(want)) {
		t.Errorf("Stat(%q): size %d, want %d", key, obj.Size, len(want))
	}
}

// wantKind checks that err is an *Error of the kind.
func wantKind(t testing.TB, what string, err error, want driver.Kind) {
	t.Helper()
	var e *driver.Error
	switch {
	case err == nil:
		t.Errorf("%s: got no error, want %v", what, want)
	case !errors.Is(err, want) || driver.KindOf(err) != want:
		t.Errorf("%s: got %v, want %v", what, err, want)
	case !errors.As(err, &e):
		t.Errorf("%s: error is not a *driver.Error: %v", what, err)
	case driver.OutcomeUnknown(err):
		t.Errorf("%s: a refused call says that it may have taken effect: %v", what, err)
	}
}

// wantAbsent checks that there is no object at key.
func wantAbsent(t testing.TB, b driver.Bucket, key string) {
	t.Helper()
	_, err := b.Stat(t.Context(), key)
	wantKind(t, fmt.Sprintf("Stat(%q)", key), err, driver.NotFound)
}

func must[T any](t testing.TB, what string) func(got T, err error) T {
	return func(got T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return got
	}
}

func noError(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// keysOf lists all of q and returns the keys, in the order in which they came.
func keysOf(t testing.TB, b driver.Bucket, q driver.ListRequest) []string {
	t.Helper()
	keys := []string{}
	for e, err := range driver.List(t.Context(), b, q) {
		if err != nil {
			t.Fatalf("List(%+v): %v", q, err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}
