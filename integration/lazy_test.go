package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestLazyPull reads a blob in many small ranges, several at a time, as clients
// do that start a container before its image is there. The registry looks the
// blob up once and signs once; all else is between client and store.
func TestLazyPull(t *testing.T) {
	onEach(t, func(t *testing.T, direct cloud) {
		const reads, length = 100, 10 * kib
		c, proxy := direct.through(t)
		base := serve(t, on(t, c, c.newBucket(t))).URL
		blob := content{4 * mib, 1}
		push(t, base, "lazy", blob, 0)
		at := base + "/v2/lazy/blobs/" + blob.digest().String()
		first := do(t, http.MethodGet, at, nil, nil).want(t, http.StatusTemporaryRedirect).location()

		proxy.Reset()
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < reads; i += 4 {
					off := int64(i) * 40 * kib
					header := map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", off, off+length-1)}
					res, err := send(t, http.MethodGet, at, header, nil, 0)
					if err != nil || res.StatusCode != http.StatusTemporaryRedirect || res.location() != first {
						t.Errorf("range at %d: %v, %v; want a redirect to the same URL", off, res.Response, err)
						return
					}
					res, err = send(t, http.MethodGet, res.location(), header, nil, 0)
					want := make([]byte, length)
					_, _ = blob.ReadAt(want, off)
					if err != nil || res.StatusCode != http.StatusPartialContent || res.body != string(want) {
						t.Errorf("range at %d: %v and %d bytes, want 206 and %d", off, err, len(res.body), length)
						return
					}
				}
			})
		}
		wg.Wait()
		if got := proxy.Counts(); got.Requests() != reads {
			t.Errorf("%v for %d ranges, want one each", got, reads)
		}
	})
}

// TestPartialPull reads the changed parts of a blob by one GET of several ranges, as
// containers/image does with zstd:chunked layers. The client gets them and hardly more, and
// ranges that lie together cost the store one request.
func TestPartialPull(t *testing.T) {
	onEach(t, func(t *testing.T, direct cloud) {
		c, proxy := direct.through(t)
		base := serve(t, on(t, c, c.newBucket(t))).URL
		blob := content{8 * mib, 1}
		push(t, base, "partial", blob, 0)
		at := base + "/v2/partial/blobs/" + blob.digest().String()
		send(t, http.MethodGet, at, map[string]string{"Range": "bytes=0-0,2-2"}, nil, 0) // looks the blob up

		ranges := [][2]int64{{0, 5 * kib}, {5 * kib, 5 * kib}, {12 * kib, 3 * kib}, {2 * mib, 2 * mib}, {4 * mib, 100}, {6 * mib, 50 * kib}, {8*mib - 10, 10}}
		const requests = 4 // the first three are one, and the two behind them
		header, total := "bytes=", int64(0)
		for i, r := range ranges {
			if i > 0 {
				header += ","
			}
			header, total = header+fmt.Sprintf("%d-%d", r[0], r[0]+r[1]-1), total+r[1]
		}
		proxy.Reset()
		res, err := send(t, http.MethodGet, at, map[string]string{"Range": header}, nil, 0)
		if err != nil || res.StatusCode != http.StatusPartialContent {
			t.Fatalf("%v, %v", res.Response, err)
		}
		if got := proxy.Counts(); got.Requests() != requests {
			t.Errorf("%v, want %d requests", got, requests)
		}
		if n := int64(len(res.body)); n > total+total/100 {
			t.Errorf("%d bytes for %d", n, total)
		}
		_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(strings.NewReader(res.body), params["boundary"])
		for _, r := range ranges {
			part, err := parts.NextPart()
			if err != nil {
				t.Fatalf("part at %d: %v", r[0], err)
			}
			want := make([]byte, r[1])
			_, _ = blob.ReadAt(want, r[0])
			if got, err := io.ReadAll(part); err != nil || !bytes.Equal(got, want) {
				t.Errorf("part at %d: %d bytes, %v, want %d", r[0], len(got), err, r[1])
			}
		}
		if _, err := parts.NextPart(); !errors.Is(err, io.EOF) {
			t.Errorf("another part: %v", err)
		}
	})
}
