package azure

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestHierarchy lists and reads an account with a hierarchical namespace.
func TestHierarchy(t *testing.T) {
	var logged bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(before)
	b, _ := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("comp") == "list" {
			w.Header().Set("Content-Type", "application/xml")
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x" ContainerName="container"><Blobs>`+
				`<Blob><Name>dir</Name><Properties><Etag>0x1</Etag><ResourceType>directory</ResourceType><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>`+
				`<Blob><Name>dir/key</Name><Properties><Etag>0x2</Etag><ResourceType>file</ResourceType><Content-Length>0</Content-Length><Content-Type>text/plain</Content-Type><BlobType>BlockBlob</BlobType></Properties></Blob>`+
				`</Blobs><NextMarker></NextMarker></EnumerationResults>`)
			return
		}
		w.Header().Set("Etag", `"0x1"`)
		w.Header().Set("X-Ms-Meta-Hdi_isfolder", "true")
	})
	for range 2 {
		page, err := b.ListPage(t.Context(), driver.ListRequest{})
		if err != nil || len(page.Items) != 1 || page.Items[0].Key != "dir/key" {
			t.Errorf("listed %+v, %v", page.Items, err)
		}
	}
	uploads, err := b.UploadsPage(t.Context(), driver.ListRequest{})
	if err != nil || len(uploads.Items) != 0 {
		t.Errorf("uploads %+v, %v", uploads.Items, err)
	}
	if n := strings.Count(logged.String(), "hierarchical namespace"); n != 1 {
		t.Errorf("%d warnings, want 1: %s", n, logged.String())
	}
	if _, err := b.Stat(t.Context(), "dir"); !errors.Is(err, driver.NotFound) {
		t.Errorf("Stat of a folder: %v", err)
	}
	if _, err := b.Open(t.Context(), "dir", driver.Range{}, driver.ReadOptions{}); !errors.Is(err, driver.NotFound) {
		t.Errorf("Open of a folder: %v", err)
	}
}
