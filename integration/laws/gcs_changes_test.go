package laws_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

const tooMany = "429 rateLimitExceeded"

func objectRate(t *testing.T) {
	t.Run("each change counts", func(t *testing.T) {
		t.Parallel()
		c := newGCSClient(t, laws.Options{}, "object-rate")
		// A call with the names that it changes, to be refused if one has just changed.
		for _, change := range []struct {
			name  string
			names []string
			do    func(name string) error
		}{
			{"insert", []string{"a"}, func(n string) error { _, err := c.insert(&storage.Object{Name: n}, "2").Do(); return err }},
			{"delete", []string{"b"}, func(n string) error { return c.Delete(c.bucket, n).Do() }},
			{"patch", []string{"c"}, func(n string) error {
				_, err := c.Patch(c.bucket, n, &storage.Object{ContentType: "text/plain"}).Do()
				return err
			}},
			{"update", []string{"d"}, func(n string) error {
				_, err := c.Update(c.bucket, n, &storage.Object{ContentType: "text/plain"}).Do()
				return err
			}},
			{"compose", []string{"e"}, func(n string) error { _, err := c.join(nil, n, false, "source").Do(); return err }},
			{"compose that deletes", []string{"f"}, func(n string) error { _, err := c.join(nil, "joined", true, n).Do(); return err }},
			{"rewrite", []string{"g"}, func(n string) error {
				_, err := c.Rewrite(c.bucket, "source", c.bucket, n, nil).Do()
				return err
			}},
			{"copy", []string{"h"}, func(n string) error {
				_, err := c.Copy(c.bucket, "source", c.bucket, n, nil).Do()
				return err
			}},
			{"move to", []string{"i"}, func(n string) error { _, err := c.Move(c.bucket, "source", n).Do(); return err }},
			{"move from", []string{"j"}, func(n string) error { _, err := c.Move(c.bucket, n, "moved").Do(); return err }},
			{"batch", []string{"k"}, func(n string) error { return c.batchDelete(t, n)[0] }},
			{"resumable upload", []string{"l"}, c.resumable},
		} {
			if _, err := c.direct.Insert(c.bucket, &storage.Object{Name: "source"}).Media(strings.NewReader("s")).Do(); err != nil {
				t.Fatal(err)
			}
			for _, n := range change.names {
				c.put(t, &storage.Object{Name: n}, "1")
				wantReason(t, change.name, change.do(n), tooMany)
				c.wantStored(t, n, "1")
			}
		}
		if _, err := c.Get(c.bucket, "a").Do(); err != nil {
			t.Errorf("read: %v", err)
		}
		c.put(t, &storage.Object{Name: "another"}, "1")
	})
	t.Run("after the interval", func(t *testing.T) {
		t.Parallel()
		c := newGCSClient(t, laws.Options{GCS: laws.GCSOptions{KeyRate: laws.KeyRate{Interval: 50 * time.Millisecond}}}, "object-rate")
		c.put(t, &storage.Object{Name: "a"}, "1")
		time.Sleep(60 * time.Millisecond)
		c.put(t, &storage.Object{Name: "a"}, "2")
		c.wantStored(t, "a", "2")
	})
	t.Run("message", func(t *testing.T) {
		t.Parallel()
		c := newGCSClient(t, laws.Options{}, "object-rate")
		c.put(t, &storage.Object{Name: "d/a"}, "1")
		err := c.Delete(c.bucket, "d/a").Do()
		want := fmt.Sprintf("The object %s/d/a exceeded the rate limit for object mutation operations (create, update, and delete).", c.bucket)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	})
	t.Run("options", func(t *testing.T) {
		t.Parallel()
		rate := laws.KeyRate{Burst: 2}
		c := newGCSClient(t, laws.Options{GCS: laws.GCSOptions{KeyRate: rate, FreeRefusals: true, FreeSources: true}}, "object-rate", "compose-sources")
		c.put(t, &storage.Object{Name: "a"}, "1")
		for range 3 {
			_, err := c.insert(&storage.Object{Name: "a"}, "2").IfGenerationMatch(0).Do()
			wantReason(t, "a change that is refused", err, "412 conditionNotMet")
		}
		c.put(t, &storage.Object{Name: "a"}, "2")
		_, err := c.join(nil, "b", true, "a").Do()
		wantReason(t, "compose that deletes", err, "")
		wantReason(t, "a third change", c.Delete(c.bucket, "a").Do(), tooMany)
	})
}

// batchDelete deletes objects in one batch, and returns the error of each.
func (c gcsClient) batchDelete(t *testing.T, names ...string) []error {
	t.Helper()
	var body strings.Builder
	for i, n := range names {
		fmt.Fprintf(&body, "--b\r\nContent-Type: application/http\r\nContent-ID: <%d>\r\n\r\nDELETE /storage/v1/b/%s/o/%s HTTP/1.1\r\nHost: storage.googleapis.com\r\n\r\n\r\n", i, c.bucket, url.PathEscape(n))
	}
	body.WriteString("--b--\r\n")
	res, answer := c.fetch(t, http.MethodPost, "/batch/storage/v1", body.String(), "Content-Type", "multipart/mixed; boundary=b")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("batch: %s: %s", res.Status, answer)
	}
	return batchErrors(t, res, answer)
}

// resumable writes an object in two requests.
func (c gcsClient) resumable(name string) error {
	_, err := c.Insert(c.bucket, &storage.Object{Name: name}).
		Media(strings.NewReader(strings.Repeat("x", googleapi.MinUploadChunkSize+1)), googleapi.ChunkSize(googleapi.MinUploadChunkSize)).
		WithRetry(nil, never).Do()
	return err
}

func retentionPolicy(t *testing.T) {
	c := newGCSClient(t, laws.Options{GCS: laws.GCSOptions{Retention: time.Hour}}, "retention-policy", "compose-sources")
	c.undeletable(t, "403 retentionPolicyNotMet")

	c = newGCSClient(t, laws.Options{GCS: laws.GCSOptions{Retention: 20 * time.Millisecond}}, "retention-policy")
	c.put(t, &storage.Object{Name: "old"}, "1")
	time.Sleep(30 * time.Millisecond)
	wantReason(t, "delete after the period", c.Delete(c.bucket, "old").Do(), "")
	c.wantStored(t, "old", "")
}

func objectHold(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "object-hold", "compose-sources")
	for _, name := range []string{"a", "d/b"} {
		c.enforcer.Hold(c.bucket, name)
	}
	c.undeletable(t, "403 objectUnderActiveHold")
	c.put(t, &storage.Object{Name: "free"}, "1")
	c.put(t, &storage.Object{Name: "free"}, "2")
	c.enforcer.Release(c.bucket, "a")
	wantReason(t, "delete after the hold", c.Delete(c.bucket, "a").Do(), "")
	c.wantStored(t, "a", "")
}

// undeletable writes objects that may be neither deleted nor replaced.
func (c gcsClient) undeletable(t *testing.T, reason string) {
	t.Helper()
	c.put(t, &storage.Object{Name: "a"}, "1")
	c.put(t, &storage.Object{Name: "d/b"}, "1")
	refused := func(what string, err error) {
		t.Helper()
		wantReason(t, what, err, reason)
		c.wantStored(t, "a", "1")
	}
	_, err := c.insert(&storage.Object{Name: "a"}, "2").Do()
	refused("insert", err)
	refused("resumable upload", c.resumable("a"))
	refused("delete", c.Delete(c.bucket, "a").Do())
	refused("batch", c.batchDelete(t, "d/b", "a")[1])
	_, err = c.join(nil, "a", false, "d/b").Do()
	refused("compose over it", err)
	_, err = c.join(nil, "c", true, "a").Do()
	refused("compose of it, that deletes", err)
	c.wantStored(t, "c", "")
	_, err = c.Rewrite(c.bucket, "d/b", c.bucket, "a", nil).Do()
	refused("rewrite", err)
	_, err = c.join(nil, "c", false, "a", "d/b").Do()
	wantReason(t, "compose of it", err, "")
	c.wantStored(t, "c", "11")
	_, err = c.Patch(c.bucket, "a", &storage.Object{ContentType: "text/plain"}).Do()
	wantReason(t, "patch", err, "")
}
