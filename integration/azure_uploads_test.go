package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/azure"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
)

// These are what Azure's uploads do instead of what azureExceptions excuses.

func azureBucket(t *testing.T) driver.Bucket {
	t.Helper()
	c := azureCloud{Azure: emulator.StartAzure(t)}
	return look(t, c, c.newBucket(t))
}

func azurePart(t *testing.T, b driver.Bucket, u driver.Upload, n int, data string) driver.Part {
	t.Helper()
	p, err := b.Features().Uploads.PutPart(t.Context(), u, n, io.NewSectionReader(strings.NewReader(data), 0, int64(len(data))))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func azureUpload(t *testing.T, b driver.Bucket, key, data string) (driver.Upload, []driver.Part) {
	t.Helper()
	u, err := b.Features().Uploads.CreateUpload(t.Context(), key, driver.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return u, []driver.Part{azurePart(t, b, u, 1, data)}
}

func azureContent(t *testing.T, b driver.Bucket, key, want string) {
	t.Helper()
	r, err := b.Open(t.Context(), key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("%s: got %q and %v, want %q", key, got, err, want)
	}
}

func azureUploads(t *testing.T, b driver.Bucket, q driver.ListRequest) []string {
	t.Helper()
	var keys []string
	for u, err := range driver.ListUploads(t.Context(), b, q) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, u.Key)
	}
	return keys
}

// Two writers push one digest, both straight to its key.
func TestAzureTwoWriters(t *testing.T) {
	b := azureBucket(t)
	first := driver.Cond{IfAbsent: true}
	one, oneParts := azureUpload(t, b, "digest", "content")
	two, twoParts := azureUpload(t, b, "digest", "content")
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), one, oneParts, first); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), two, twoParts, first); !errors.Is(err, driver.Exists) {
		t.Errorf("the loser: got %v, want %v", err, driver.Exists)
	}
	// Without the condition, too, its parts are gone rather than mixed with others.
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), two, twoParts, driver.Cond{}); !errors.Is(err, driver.NotFound) {
		t.Errorf("the loser without a condition: got %v, want %v", err, driver.NotFound)
	}
	// A part that comes late is accepted, and changes nothing.
	late := azurePart(t, b, two, 2, "late")
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), two, append(twoParts, late), driver.Cond{}); !errors.Is(err, driver.Mismatch) {
		t.Errorf("the loser with a late part: got %v, want %v", err, driver.Mismatch)
	}
	if err := b.Features().Uploads.AbortUpload(t.Context(), two); err != nil {
		t.Error(err)
	}
	azureContent(t, b, "digest", "content")
}

// Several writers copy to one key in parts: each completion drops the parts of all others.
func TestAzureManyCopies(t *testing.T) {
	b := azureBucket(t)
	parts := driver.WithFeatures(b, func(f *driver.Features) { f.Copy = nil })
	var wg sync.WaitGroup
	for i := range 4 {
		src := fmt.Sprintf("src-%d", i)
		obj, err := b.Put(t.Context(), src, io.NewSectionReader(strings.NewReader("content "+src), 0, int64(len("content "+src))), driver.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			plan := driver.CopyPlan{PartSize: 3, Concurrency: 2}
			if _, err := driver.Copy(t.Context(), parts, driver.Source{Key: src, ETag: obj.ETag}, obj.Size, "dst", driver.WriteOptions{}, plan); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	obj, err := b.Stat(t.Context(), "dst")
	if err != nil || obj.Size != int64(len("content src-0")) {
		t.Errorf("got %+v, %v", obj, err)
	}
}

func TestAzureCompletedOnce(t *testing.T) {
	b := azureBucket(t)
	u, parts := azureUpload(t, b, "key", "old")
	for _, want := range []error{nil, driver.NotFound} {
		if _, err := b.Features().Uploads.CompleteUpload(t.Context(), u, parts, driver.Cond{}); !errors.Is(err, want) {
			t.Errorf("completion: got %v, want %v", err, want)
		}
	}
	azureContent(t, b, "key", "old")
	v, vparts := azureUpload(t, b, "key", "new")
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), v, vparts, driver.Cond{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), u, parts, driver.Cond{}); !errors.Is(err, driver.NotFound) {
		t.Errorf("completion over newer content: got %v, want %v", err, driver.NotFound)
	}
	azureContent(t, b, "key", "new")
}

// What is named by ETag is what is stored, also when it was sent again.
func TestAzureReplacedPart(t *testing.T) {
	b := azureBucket(t)
	u, before := azureUpload(t, b, "key", "before")
	after := azurePart(t, b, u, 1, "after")
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), u, []driver.Part{after}, driver.Cond{}); err != nil {
		t.Fatal(err)
	}
	azureContent(t, b, "key", "after")
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), u, before, driver.Cond{}); !errors.Is(err, driver.NotFound) {
		t.Errorf("the replaced part, later: got %v, want %v", err, driver.NotFound)
	}
}

func TestAzureAbort(t *testing.T) {
	b := azureBucket(t)
	const private = "repositories/r/_uploads/1/data"
	u, parts := azureUpload(t, b, private, "staged")
	other, otherParts := azureUpload(t, b, "blobs/data", "digest")
	_, _ = azureUpload(t, b, "blobs/more", "digest")
	if _, err := b.Put(t.Context(), "empty", io.NewSectionReader(bytes.NewReader(nil), 0, 0), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		q    driver.ListRequest
		want []string
	}{
		{driver.ListRequest{}, []string{"blobs/data", "blobs/more", private}},
		{driver.ListRequest{Limit: 1}, []string{"blobs/data", "blobs/more", private}},
		{driver.ListRequest{Prefix: "repositories/"}, []string{private}},
		{driver.ListRequest{StartAfter: "blobs/data"}, []string{"blobs/more", private}},
		{driver.ListRequest{Prefix: "none"}, nil},
	} {
		if got := azureUploads(t, b, tt.q); !slices.Equal(got, tt.want) {
			t.Errorf("uploads of %+v: got %q, want %q", tt.q, got, tt.want)
		}
	}
	// What the listing gives is enough for an abort.
	for u, err := range driver.ListUploads(t.Context(), b, driver.ListRequest{Prefix: "repositories/"}) {
		if err == nil {
			err = b.Features().Uploads.AbortUpload(t.Context(), u)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Features().Uploads.AbortUpload(t.Context(), u); err != nil {
		t.Errorf("abort of what is gone: %v", err)
	}
	if got := azureUploads(t, b, driver.ListRequest{Prefix: "repositories/"}); len(got) != 0 {
		t.Errorf("after the abort: %q", got)
	}
	if _, err := b.Stat(t.Context(), private); !errors.Is(err, driver.NotFound) {
		t.Errorf("after the abort: got %v, want %v", err, driver.NotFound)
	}
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), u, parts, driver.Cond{}); !errors.Is(err, driver.NotFound) {
		t.Errorf("completion after the abort: got %v, want %v", err, driver.NotFound)
	}
	// A key that others may look at never shows an empty object.
	if err := b.Features().Uploads.AbortUpload(t.Context(), other); err != nil {
		t.Error(err)
	}
	if _, err := b.Stat(t.Context(), "blobs/data"); !errors.Is(err, driver.NotFound) {
		t.Errorf("after an abort at a digest's key: got %v, want %v", err, driver.NotFound)
	}
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), other, otherParts, driver.Cond{}); err != nil {
		t.Errorf("completion at a digest's key: %v", err)
	}
	// An abort that comes after the completion leaves the object alone.
	u, parts = azureUpload(t, b, private, "staged")
	if _, err := b.Features().Uploads.CompleteUpload(t.Context(), u, parts, driver.Cond{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Features().Uploads.AbortUpload(t.Context(), u); err != nil {
		t.Error(err)
	}
	azureContent(t, b, private, "staged")
}

// A connection string and a key from the environment open the same container.
func TestAzureCredentials(t *testing.T) {
	a := emulator.StartAzure(t)
	container := a.NewContainer(t)
	if _, err := look(t, azureCloud{Azure: a}, container).Put(t.Context(), "key", io.NewSectionReader(strings.NewReader("x"), 0, 1), driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string]map[string]string{
		"connection string": {"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=" + a.Account + ";AccountKey=" + a.Key + ";BlobEndpoint=" + a.Endpoint + ";"},
		"key":               {"AZURE_STORAGE_ACCOUNT": a.Account, "AZURE_STORAGE_KEY": a.Key},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range env {
				t.Setenv(k, v)
			}
			raw := "azblob://" + container
			if env["AZURE_STORAGE_KEY"] != "" {
				raw += "?endpoint=" + a.Endpoint
			}
			b, err := driver.Open(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			azureContent(t, b, "key", "x")
		})
	}
	b, err := azure.Open(t.Context(), azure.Config{Container: container, Endpoint: a.Endpoint, Key: "d3Jvbmc="})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, driver.Denied) {
		t.Errorf("wrong key: got %v, want %v", err, driver.Denied)
	}
}
