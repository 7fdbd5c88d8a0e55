package registry_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

// TestPullOfMovedTag has a tag become another image, and what it was deleted, after a pull has read
// the tag and before it reads the manifest. The tag was there all the time, and the pull gets what it
// is. A tag that was deleted is not there.
func TestPullOfMovedTag(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, moves := range []bool{true, false} {
			b := mem.New()
			other := clientOf(t, serve(t, b), "a")
			old, next := other.image(digest.SHA256, nil), other.image(digest.SHA256, nil)
			other.push("v1", old)
			done := false
			c := clientOf(t, serve(t, driver.Wrap(b, func(ctx context.Context, call *driver.Call, do func(context.Context) error) error {
				if call.Op != driver.OpOpen || !strings.HasSuffix(call.Key, "/tags/v1/current/link") || done {
					return do(ctx)
				}
				done = true
				err := do(ctx)
				if moves {
					other.push("v1", next)
				}
				other.remove(old.desc.Digest.String())
				return err
			})), "a")
			resp, body := do(t, method, c.base+"/manifests/v1", acceptAll, nil)
			if !moves {
				if resp.StatusCode != http.StatusNotFound {
					t.Errorf("%s of a tag that is deleted meanwhile: %s", method, resp.Status)
				}
				continue
			}
			want := next.desc.Digest.String()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Docker-Content-Digest") != want || resp.Header.Get("Etag") != `"`+want+`"` ||
				method == http.MethodGet && body != string(next.content) {
				t.Errorf("%s of a tag that moves meanwhile: %s, %v", method, resp.Status, resp.Header)
			}
		}
	}
}
