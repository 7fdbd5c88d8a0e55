package s3

import (
	"errors"
	"net/http"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestCompleteWithoutETag completes an upload on a store that leaves the ETag of its reply
// empty, as Ceph 16.2.15 does: the object that is there tells.
func TestCompleteWithoutETag(t *testing.T) {
	const (
		joined = `"62109206880d38a4010a98e11243924a-1"` // MD5 of the part's MD5
		named  = "<CompleteMultipartUploadResult><Key>key</Key><ETag></ETag></CompleteMultipartUploadResult>"
	)
	md5Part := driver.Part{Number: 1, Size: 5, ETag: `"5d41402abc4b2a76b9719d911017c592"`}
	for _, tt := range []struct {
		name, reply, there string
		part               driver.Part
		want               string
		requests           int
	}{
		{"the object is that of the parts", named, joined, md5Part, joined, 2},
		{"another writer's", named, `"00000000000000000000000000000000-1"`, md5Part, "", 2},
		{"the parts have ETags of another kind", named, joined, driver.Part{Number: 1, Size: 5, ETag: `"e"`}, "", 1},
		{"the reply names nothing", "<CompleteMultipartUploadResult/>", joined, md5Part, "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.Header().Set("ETag", tt.there)
					w.Header().Set("Content-Length", "5")
					return
				}
				_, _ = w.Write([]byte(tt.reply))
			})
			got, err := b.CompleteUpload(t.Context(), testUpload, []driver.Part{tt.part}, driver.Cond{})
			if got.ETag != tt.want || (err == nil) != (tt.want != "") || len(f.requests) != tt.requests {
				t.Errorf("got %q, %v after %d requests; want %q after %d", got.ETag, err, len(f.requests), tt.want, tt.requests)
			}
			var e *driver.Error
			if err != nil && (!errors.As(err, &e) || !e.OutcomeUnknown) {
				t.Errorf("%v, want an unknown outcome", err)
			}
		})
	}
}

func TestJoinedETag(t *testing.T) {
	parts := []driver.Part{{ETag: `"5d41402abc4b2a76b9719d911017c592"`}, {ETag: "7d793037a0760186574b0282f2f435e7"}}
	if got, want := joinedETag(parts), `"065947336a2f2a95ba8899f3675c3be6-2"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
