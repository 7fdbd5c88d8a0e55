package mem_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

func put(t testing.TB, b driver.Bucket, key, data string, c driver.Cond) (driver.Object, error) {
	t.Helper()
	body := io.NewSectionReader(bytes.NewReader([]byte(data)), 0, int64(len(data)))
	return b.Put(t.Context(), key, body, driver.WriteOptions{Cond: c})
}

// TestKeyInterval checks what counts as a write to a key, and that other keys are free.
func TestKeyInterval(t *testing.T) {
	for name, write := range map[string]func(t *testing.T, b driver.Bucket) error{
		"Put":    func(t *testing.T, b driver.Bucket) error { _, err := put(t, b, "key", "y", driver.Cond{}); return err },
		"Delete": func(t *testing.T, b driver.Bucket) error { return b.Delete(t.Context(), "key", driver.DeleteOptions{}) },
		"DeleteBatch": func(t *testing.T, b driver.Bucket) error {
			return b.Features().DeleteBatch(t.Context(), driver.Refs("key"))
		},
		"Copy": func(t *testing.T, b driver.Bucket) error {
			_, err := b.Features().Copy(t.Context(), driver.CopyRequest{Src: driver.Source{Key: "source"}, Dst: "key"})
			return err
		},
		"Concat": func(t *testing.T, b driver.Bucket) error {
			_, err := b.Features().Concat(t.Context(), driver.ConcatRequest{Key: "key", Sources: []driver.Object{{Key: "source", Size: 1}}})
			return err
		},
		"CompleteUpload": func(t *testing.T, b driver.Bucket) error {
			uploads := b.Features().Uploads
			u, err := uploads.CreateUpload(t.Context(), "key", driver.WriteOptions{})
			if err != nil {
				return err
			}
			p, err := uploads.PutPart(t.Context(), u, 1, io.NewSectionReader(bytes.NewReader([]byte("z")), 0, 1))
			if err != nil {
				return err
			}
			_, err = uploads.CompleteUpload(t.Context(), u, []driver.Part{p}, driver.Cond{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mem.NewWith(mem.Options{KeyInterval: time.Second})
				for _, key := range []string{"source", "key"} {
					if _, err := put(t, b, key, "x", driver.Cond{}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(999 * time.Millisecond)
				var e *driver.Error
				if err := write(t, b); !errors.As(err, &e) || e.Kind != driver.Throttled || !e.KeyOnly || e.RetryAfter != time.Second || e.OutcomeUnknown {
					t.Errorf("too soon: %+v", err)
				}
				time.Sleep(time.Millisecond)
				if err := write(t, b); err != nil {
					t.Errorf("a second later: %v", err)
				}
			})
		})
	}
}

// TestUnversioned gives equal bytes equal ETags, which a condition takes for the same.
func TestUnversioned(t *testing.T) {
	b := mem.NewWith(mem.Options{Unversioned: true})
	first, err := put(t, b, "key", "same", driver.Cond{})
	if err != nil || first.Version != "" {
		t.Fatalf("Put: %+v, %v", first, err)
	}
	if _, err := put(t, b, "key", "other", driver.Cond{}); err != nil {
		t.Fatal(err)
	}
	second, err := put(t, b, "key", "same", driver.Cond{})
	if err != nil || second.ETag != first.ETag {
		t.Errorf("Put of equal bytes: %+v, %v, want ETag %s", second, err, first.ETag)
	}
	if err := b.Delete(t.Context(), "key", driver.DeleteOptions{IfVersion: first.ETag}); err != nil {
		t.Errorf("Delete by the ETag of an earlier write: %v", err)
	}
}

// TestCompletionRules names other parts than were sent.
func TestCompletionRules(t *testing.T) {
	for _, tt := range []struct {
		name       string
		put, named []int
		want       driver.Kind
	}{
		{"all", []int{1, 2, 3}, []int{1, 2, 3}, 0},
		{"one is left out", []int{1, 2, 3}, []int{1, 2}, driver.Mismatch},
		{"a gap", []int{1, 3}, []int{1, 3}, driver.Invalid},
		{"not from 1", []int{2, 3}, []int{2, 3}, driver.Invalid},
		{"one that was not sent", []int{1}, []int{1, 2}, driver.Mismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := mem.NewWith(mem.Options{Parts: driver.PartLimits{MinSize: 1}})
			u, err := b.CreateUpload(t.Context(), "key", driver.WriteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			parts := map[int]driver.Part{}
			for _, n := range tt.put {
				if parts[n], err = b.PutPart(t.Context(), u, n, io.NewSectionReader(bytes.NewReader([]byte("x")), 0, 1)); err != nil {
					t.Fatal(err)
				}
			}
			var named []driver.Part
			for _, n := range tt.named {
				named = append(named, parts[n])
			}
			if _, err := b.CompleteUpload(t.Context(), u, named, driver.Cond{}); driver.KindOf(err) != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
