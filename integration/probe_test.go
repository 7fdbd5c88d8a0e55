package integration_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/emulator"
	"github.com/blobdock/blobdock/integration/laws"
	"github.com/blobdock/blobdock/probe"
)

func probed(t *testing.T, b driver.Bucket) map[string]probe.Result {
	t.Helper()
	all := make(map[string]probe.Result)
	for r := range probe.Run(t.Context(), b) {
		t.Logf("%-8s %-21s %v %v %s", r.Status, r.Check, r.Detail, r.Err, r.Grant)
		all[r.Check] = r
	}
	return all
}

// TestProbe finds nothing missing where all is allowed, and leaves nothing.
func TestProbe(t *testing.T) {
	onEach(t, func(t *testing.T, c cloud) {
		b := edit(t, c, c.newBucket(t))
		for name, r := range probed(t, b) {
			// fake-gcs-server ignores conditions on a copy.
			if r.Status == probe.Failed && (name != "conditions" || !keepsSources(c)) {
				t.Errorf("%s: %v", name, r.Err)
			}
		}
		if left := keys(t, b); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
		if left := uploads(t, b, probe.Folder); len(left) > 0 && !keepsSources(c) { // fake-gcs-server ignores deleteSourceObjects, see gcsExceptions
			t.Errorf("left: %v", left)
		}
	})
}

// TestProbeNamesWhatIsMissing takes one permission at a time away, on a bucket of
// MinIO's that everybody may use.
func TestProbeNamesWhatIsMissing(t *testing.T) {
	s := emulator.Start(t)
	actions := []string{
		"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket", "s3:ListBucketMultipartUploads",
	}
	for i, missing := range actions {
		bucket := s.NewBucket(t)
		allow(t, s, bucket, slices.Delete(slices.Clone(actions), i, i+1)...)
		b := open(t, onMinIO(s).bare(bucket)+"&anonymous=true")
		named := false
		for name, r := range probed(t, b) {
			switch {
			case strings.Contains(r.Grant, missing):
				named = true
			case r.Status == probe.Failed:
				t.Errorf("without %s, %s fails: %v; grant %q", missing, name, r.Err, r.Grant)
			}
		}
		if !named {
			t.Errorf("%s is missing, and not named", missing)
		}
	}
	// No bucket at all is told as such.
	b := open(t, onMinIO(s).url(t, "blobdock-no-such-bucket"))
	if r := probed(t, b)["list"]; r.Status != probe.Failed || !strings.Contains(r.Err.Error(), "no such bucket") {
		t.Errorf("without a bucket: %+v", r)
	}
}

// TestProbeNamesRetention probes a bucket with a retention policy, in which a registry can't
// replace or delete what it has written. No permission is what it lacks.
func TestProbeNamesRetention(t *testing.T) {
	c, _ := jurisdiction{"gcs-laws", laws.StoreGCS, []string{"retention-policy"}, ""}.open(t, laws.Options{GCS: laws.GCSOptions{Retention: time.Hour}})
	failed := 0
	for name, r := range probed(t, look(t, c, c.newBucket(t))) {
		if r.Status != probe.Failed {
			continue
		}
		failed++
		if r.Grant != "" || !strings.Contains(r.Err.Error(), "retention policy") {
			t.Errorf("%s: %v; grant %q", name, r.Err, r.Grant)
		}
	}
	if failed == 0 {
		t.Error("nothing fails")
	}
}
