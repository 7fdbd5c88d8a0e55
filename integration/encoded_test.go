package integration_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/opencontainers/go-digest"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

// TestEncodedBlob pulls a layer that another tool has brought to Google Cloud Storage with
// Content-Encoding gzip, which the store unpacks for clients that do not ask for gzip. It is
// streamed as it is stored. Once it was pushed it is redirected.
func TestEncodedBlob(t *testing.T) {
	c, _ := jurisdiction{"gcs-laws", laws.StoreGCS, []string{"transcoding"}, ""}.open(t, laws.Options{})
	bucket := c.newBucket(t)
	srv := serve(t, on(t, c, bucket))

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(content{200 * kib, 1}.bytes(t)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	layer := packed.Bytes()
	d := digest.FromBytes(layer)
	push := func() {
		t.Helper()
		do(t, http.MethodPut, withDigest(begin(t, srv.URL, "encoded"), d), nil, io.NewSectionReader(bytes.NewReader(layer), 0, int64(len(layer)))).want(t, http.StatusCreated)
	}
	push() // for the link
	tool, err := storage.NewService(t.Context(), option.WithEndpoint(c.endpoint()+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tool.Objects.Insert(bucket, &storage.Object{Name: blobKey(d), ContentEncoding: "gzip"}).Media(bytes.NewReader(layer)).Do(); err != nil {
		t.Fatal(err)
	}

	srv = serve(t, on(t, c, bucket)) // it has not seen the blob before
	at := srv.URL + "/v2/encoded/blobs/" + d.String()
	for _, asked := range []string{"", "bytes=100-199", "bytes=-50"} {
		header := map[string]string{"Accept-Encoding": "identity"}
		status, want := http.StatusOK, layer
		switch asked {
		case "bytes=100-199":
			header["Range"], status, want = asked, http.StatusPartialContent, layer[100:200]
		case "bytes=-50":
			header["Range"], status, want = asked, http.StatusPartialContent, layer[len(layer)-50:]
		}
		res := do(t, http.MethodGet, at, header, nil).want(t, status)
		if res.body != string(want) || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("range %q: %d bytes of encoding %q, want %d as they are stored", asked, len(res.body), res.Header.Get("Content-Encoding"), len(want))
		}
	}

	push()
	to := do(t, http.MethodGet, at, nil, nil).want(t, http.StatusTemporaryRedirect).location()
	if res := do(t, http.MethodGet, to, map[string]string{"Accept-Encoding": "identity"}, nil).want(t, http.StatusOK); res.body != string(layer) {
		t.Errorf("after a push the store's own answer has %d bytes, want %d", len(res.body), len(layer))
	}
}
