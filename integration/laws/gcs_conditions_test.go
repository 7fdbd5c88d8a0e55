package laws_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

const (
	unmet       = "412 conditionNotMet"
	notModified = "304 "
)

func generationConditions(t *testing.T) {
	c := newGCSClient(t, laws.Options{}, "generation-conditions")
	old := c.put(t, &storage.Object{Name: "d/a"}, "old")
	now := c.put(t, &storage.Object{Name: "d/a"}, "now")
	source := c.put(t, &storage.Object{Name: "source"}, "s")
	t.Run("changes", func(t *testing.T) {
		c.conditionalChanges(t, old, now, source)
	})
	t.Run("reads", func(t *testing.T) {
		c.conditionalReads(t, c.put(t, &storage.Object{Name: "r"}, "old"), c.put(t, &storage.Object{Name: "r"}, "now"))
	})
	t.Run("race", func(t *testing.T) { c.onlyOneDeletes(t) })
	t.Run("absent is not found", func(t *testing.T) {
		c := newGCSClient(t, laws.Options{GCS: laws.GCSOptions{AbsentIsNotFound: true}}, "generation-conditions")
		wantReason(t, "delete", c.Delete(c.bucket, "gone").IfGenerationMatch(1).Do(), "404 notFound")
		_, err := c.Get(c.bucket, "gone").IfGenerationMatch(1).Do()
		wantReason(t, "get", err, "404 notFound")
		_, err = c.insert(&storage.Object{Name: "gone"}, "x").IfGenerationMatch(1).Do()
		wantReason(t, "insert", err, unmet)
	})
}

func (c gcsClient) conditionalChanges(t *testing.T, old, now, source int64) {
	t.Helper()
	refused := func(what string, err error, reason string) {
		t.Helper()
		wantReason(t, what, err, reason)
		c.wantStored(t, "d/a", "now")
	}
	refused("delete", c.Delete(c.bucket, "d/a").IfGenerationMatch(old).Do(), unmet)
	refused("delete if not", c.Delete(c.bucket, "d/a").IfGenerationNotMatch(now).Do(), notModified)
	refused("delete by metageneration", c.Delete(c.bucket, "d/a").IfMetagenerationMatch(7).Do(), unmet)
	wantReason(t, "delete what is gone", c.Delete(c.bucket, "gone").IfGenerationMatch(1).Do(), unmet)
	_, err := c.Patch(c.bucket, "d/a", &storage.Object{ContentType: "text/plain"}).IfGenerationMatch(old).Do()
	refused("patch", err, unmet)
	_, err = c.Rewrite(c.bucket, "source", c.bucket, "d/a", nil).IfGenerationMatch(old).Do()
	refused("rewrite", err, unmet)
	_, err = c.Rewrite(c.bucket, "source", c.bucket, "d/a", nil).IfSourceGenerationMatch(old).Do()
	refused("rewrite of another source", err, unmet)
	_, err = c.join(nil, "d/a", false, "source").IfGenerationMatch(0).Do()
	refused("compose", err, unmet)
	call := &storage.ComposeRequest{SourceObjects: []*storage.ComposeRequestSourceObjects{{
		Name: "source", ObjectPreconditions: &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: old},
	}}}
	_, err = c.Compose(c.bucket, "d/a", call).Do()
	refused("compose of another source", err, unmet)

	call.SourceObjects[0].ObjectPreconditions.IfGenerationMatch = source
	_, err = c.Compose(c.bucket, "b", call).IfGenerationMatch(0).Do()
	wantReason(t, "compose as demanded", err, "")
	_, err = c.Rewrite(c.bucket, "source", c.bucket, "c", nil).IfSourceGenerationMatch(source).IfGenerationMatch(0).Do()
	wantReason(t, "rewrite as demanded", err, "")
	_, err = c.Patch(c.bucket, "d/a", &storage.Object{ContentType: "text/plain"}).IfGenerationMatch(now).IfMetagenerationMatch(1).Do()
	wantReason(t, "patch as demanded", err, "")
	wantReason(t, "delete as demanded", c.Delete(c.bucket, "d/a").IfGenerationMatch(now).Do(), "")
}

func (c gcsClient) conditionalReads(t *testing.T, old, now int64) {
	t.Helper()
	_, err := c.Get(c.bucket, "r").IfGenerationMatch(old).Do()
	wantReason(t, "get", err, unmet)
	_, err = c.Get(c.bucket, "r").IfGenerationNotMatch(now).Do()
	wantReason(t, "get if not", err, notModified)
	_, err = c.Get(c.bucket, "gone").IfGenerationMatch(old).Do()
	wantReason(t, "get what is gone", err, unmet)
	_, err = c.Get(c.bucket, "gone").Do()
	wantReason(t, "get what is gone, without a condition", err, "404 notFound")
	_, err = c.Get(c.bucket, "r").IfGenerationMatch(now).Do()
	wantReason(t, "get as demanded", err, "")
	_, err = c.Get(c.bucket, "r").IfGenerationMatch(old).Download()
	wantReason(t, "download", err, "412 ") // the SDK reads no reason there
	got, err := c.Get(c.bucket, "r").IfGenerationMatch(now).Download()
	wantReason(t, "download as demanded", err, "")
	got.Body.Close()
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for generation, want := range map[int64]int{old: http.StatusPreconditionFailed, now: http.StatusOK} {
			res, body := c.fetch(t, method, "/"+c.bucket+"/r", "", "X-Goog-If-Generation-Match", fmt.Sprint(generation))
			if res.StatusCode != want || method == http.MethodGet && want == http.StatusOK && body != "now" {
				t.Errorf("XML %s of generation %d of %d: %s %q", method, generation, now, res.Status, body)
			}
		}
	}
}

// onlyOneDeletes shows that nothing comes between a condition and the change.
func (c gcsClient) onlyOneDeletes(t *testing.T) {
	t.Helper()
	for range 20 {
		generation := c.put(t, &storage.Object{Name: "raced"}, "1")
		var won atomic.Int32
		var wg sync.WaitGroup
		for _, change := range []func() error{
			func() error { return c.Delete(c.bucket, "raced").IfGenerationMatch(generation).Do() },
			func() error {
				_, err := c.join(nil, "raced", false, "source").IfGenerationMatch(generation).Do()
				return err
			},
			func() error {
				_, err := c.insert(&storage.Object{Name: "raced"}, "2").IfGenerationMatch(generation).Do()
				return err
			},
		} {
			wg.Go(func() {
				if change() == nil {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d changes on one condition succeeded, want 1", won.Load())
		}
	}
}
