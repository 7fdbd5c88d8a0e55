package integration_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestWrongChecksum pushes content under whose digest another client has left other bytes of
// its size, and pulls it.
func TestWrongChecksum(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		bucket := c.newBucket(t)
		b := edit(t, c, bucket)
		if b.Features().StatChecksums == nil {
			t.Skip("the store reports no checksums: the size alone tells")
		}
		srv := serve(t, on(t, c, bucket))
		for _, tt := range []struct {
			name    string
			content content
			chunk   int64 // of the PATCHes; 0 is one PUT
		}{
			{"small put", content{64 * kib, 1}, 0},
			{"large put", content{33 * mib, 2}, 0},
			{"small patch", content{64 * kib, 3}, 64 * kib},
			{"large patches", content{13 * mib, 4}, 7 * mib},
		} {
			t.Run(tt.name, func(t *testing.T) {
				d := tt.content.digest()
				bad, err := io.ReadAll(content{tt.content.size, tt.content.seed + 100}.reader())
				if err != nil {
					t.Fatal(err)
				}
				body := io.NewSectionReader(bytes.NewReader(bad), 0, int64(len(bad)))
				if _, err := b.Put(t.Context(), blobKey(d), body, driver.WriteOptions{}); err != nil {
					t.Fatal(err)
				}
				if tt.chunk == 0 && tt.content.size > 8*mib { // it is not sent at first, as the digest is there
					at := withDigest(begin(t, srv.URL, "sums"), d)
					do(t, http.MethodPut, at, nil, tt.content.reader()).want(t, http.StatusServiceUnavailable)
				}
				push(t, srv.URL, "sums", tt.content, tt.chunk)
				pullSame(t, srv.URL, "sums", tt.content)
			})
		}
	})
}
