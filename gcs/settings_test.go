package gcs_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

// TestSettings reads the bucket's settings out of one reply.
func TestSettings(t *testing.T) {
	f := newFake(t, "bucket")
	for _, tt := range []struct {
		reply string
		want  map[string]string // value, and a word of the advice behind a slash
	}{
		{`{"name":"bucket","location":"EUROPE-WEST1","locationType":"region","storageClass":"STANDARD",
			"iamConfiguration":{"uniformBucketLevelAccess":{"enabled":true}}}`, map[string]string{
			"soft delete": "off", "object versioning": "off", "retention policy": "off", "Autoclass": "off", "default class": "STANDARD",
			"hierarchical namespace": "off", "uniform access": "on", "location": "EUROPE-WEST1 (region)", "requester pays": "off",
		}},
		{`{"name":"bucket","location":"EU","locationType":"multi-region","storageClass":"NEARLINE","softDeletePolicy":{"retentionDurationSeconds":"604800"},
			"versioning":{"enabled":true},"retentionPolicy":{"retentionPeriod":"90"},"hierarchicalNamespace":{"enabled":true},"billing":{"requesterPays":true}}`, map[string]string{
			"soft delete": "7 days/--clear-soft-delete", "object versioning": "on/--no-versioning", "retention policy": "1m30s/--clear-retention-period",
			"Autoclass": "off", "default class": "NEARLINE/STANDARD", "hierarchical namespace": "on/without", "uniform access": "off/--uniform-bucket-level-access",
			"location": "EU (multi-region)/region", "requester pays": "on/user_project",
		}},
		{`{"name":"bucket","location":"US","locationType":"region","storageClass":"STANDARD","autoclass":{"enabled":true},"defaultEventBasedHold":true}`, map[string]string{
			"soft delete": "off", "object versioning": "off", "retention policy": "a default event-based hold/--no-default-event-based-hold",
			"Autoclass": "on/storage_class", "hierarchical namespace": "off", "uniform access": "off/ACLs", "location": "US (region)", "requester pays": "off",
		}},
	} {
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || r.URL.Path != "/storage/v1/b/bucket" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, tt.reply)
			return true
		}
		f.requests.Store(0)
		got, err := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true}).Features().Settings(t.Context())
		if err != nil || len(got) != len(tt.want) || f.requests.Load() != 1 {
			t.Fatalf("%d settings by %d requests, %v", len(got), f.requests.Load(), err)
		}
		for _, s := range got {
			value, advice, _ := strings.Cut(tt.want[s.Name], "/")
			if s.Value != value || (s.Advice == "") != (advice == "") || !strings.Contains(s.Advice, advice) || s.Grant != "" {
				t.Errorf("%+v, want %q", s, tt.want[s.Name])
			}
		}
	}
}

// TestSettingsRefused has an account that may use the objects alone, and a store that fails.
func TestSettingsRefused(t *testing.T) {
	f := newFake(t, "bucket")
	status, reason := 403, "forbidden"
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		answer(w, func() (any, *refusal) { return nil, &refusal{status, reason, "no"} })
		return true
	}
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, Anonymous: true})
	got, err := b.Features().Settings(t.Context())
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Grant, "storage.buckets.get") || got[0].Value != "" {
		t.Errorf("%+v, %v", got, err)
	}
	status, reason = 503, "backendError"
	if _, err := b.Features().Settings(t.Context()); driver.KindOf(err) != driver.Unavailable {
		t.Errorf("got %v", err)
	}
}
