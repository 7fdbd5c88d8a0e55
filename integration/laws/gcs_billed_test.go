package laws_test

import (
	"strings"
	"testing"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/integration/laws"
)

// billing deletes and replaces objects of a class in all ways, of 1, 2, 4 ... bytes, and
// returns the bytes that a law has counted.
func billing(t *testing.T, law, class string) int64 {
	t.Helper()
	c := newGCSClient(t, laws.Options{}, law, "compose-sources")
	put := func(name string, size int) int64 {
		return c.put(t, &storage.Object{Name: name, StorageClass: class}, strings.Repeat("x", size))
	}
	put("d/replaced", 1)
	put("d/replaced", 0)
	put("deleted", 2)
	wantReason(t, "delete", c.Delete(c.bucket, "deleted").Do(), "")
	put("batch", 4)
	wantReason(t, "batch", c.batchDelete(t, "batch")[0], "")
	put("composed over", 8)
	_, err := c.join(&storage.Object{StorageClass: class}, "composed over", false, "d/replaced").Do()
	wantReason(t, "compose", err, "")
	put("rewritten", 16)
	_, err = c.Rewrite(c.bucket, "d/replaced", c.bucket, "rewritten", nil).Do()
	wantReason(t, "rewrite", err, "")
	put("resumed", 32)
	wantReason(t, "resumable upload", c.resumable("resumed"), "")
	wantReason(t, "delete of a version", c.Delete(c.bucket, "v").Generation(put("v", 64)).Do(), "")

	put("source", 128) // exempt
	_, err = c.join(&storage.Object{StorageClass: class}, "composed", true, "source").Do()
	wantReason(t, "compose that deletes", err, "")
	c.wantStored(t, "source", "")
	put("kept", 256)
	_, err = c.insert(&storage.Object{Name: "kept"}, "y").IfGenerationMatch(0).Do()
	wantReason(t, "a refused change", err, "412 conditionNotMet")
	return c.enforcer.Bytes(law)
}

func softDelete(t *testing.T) {
	if got := billing(t, "gcs-soft-delete", "STANDARD"); got != 127 {
		t.Errorf("%d bytes are kept, want 127", got)
	}
}

func noncurrentVersions(t *testing.T) {
	if got := billing(t, "gcs-versions", "STANDARD"); got != 63 {
		t.Errorf("%d bytes are kept, want 63: all but the version that was named", got)
	}
}

func earlyDeletion(t *testing.T) {
	for class, want := range map[string]int64{"STANDARD": 0, "NEARLINE": 127, "COLDLINE": 127, "ARCHIVE": 127} {
		if got := billing(t, "gcs-early-deletion", class); got != want {
			t.Errorf("%s: %d bytes are billed on, want %d", class, got, want)
		}
	}
}
