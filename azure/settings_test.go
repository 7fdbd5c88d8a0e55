package azure

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestSettings reads what the data plane tells of account, container and blob service. What
// is refused names its permission.
func TestSettings(t *testing.T) {
	type answers struct {
		header              map[string]string // of account and container
		list, service, code string            // code refuses
	}
	blob := func(version string) string {
		return `<EnumerationResults><Blobs><Blob><Name>a</Name>` + version + `<Properties/></Blob></Blobs></EnumerationResults>`
	}
	const account = "StorageV2, Standard_LRS"
	for name, tt := range map[string]struct {
		answers
		want map[string]string // value, and a word of the advice behind a slash
	}{
		"as new": {answers{list: blob(""), service: `<StorageServiceProperties/>`}, map[string]string{
			"hierarchical namespace": "off", "account": account, "immutability": "off", "public access": "off", "blob versioning": "off", "soft delete": "off",
		}},
		"all set": {answers{
			map[string]string{"x-ms-is-hns-enabled": "true", "x-ms-has-legal-hold": "true", "x-ms-blob-public-access": "blob"}, blob("<VersionId>v</VersionId>"),
			`<StorageServiceProperties><DeleteRetentionPolicy><Enabled>true</Enabled><Days>7</Days></DeleteRetentionPolicy></StorageServiceProperties>`, "",
		}, map[string]string{
			"hierarchical namespace": "on/without", "account": account, "immutability": "on/without", "public access": "blob/off", "blob versioning": "on/lifecycle", "soft delete": "7 days/--enable-delete-retention",
		}},
		"empty":   {answers{list: `<EnumerationResults><Blobs/></EnumerationResults>`, service: `<StorageServiceProperties/>`}, map[string]string{"blob versioning": "not known, as there is no blob"}},
		"refused": {answers{code: "AuthorizationPermissionMismatch"}, map[string]string{"hierarchical namespace": "", "immutability": "", "blob versioning": "", "soft delete": ""}},
	} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if tt.code != "" {
				reject(403, tt.code)(w, r)
				return
			}
			w.Header().Set("X-Ms-Account-Kind", "StorageV2")
			w.Header().Set("X-Ms-Sku-Name", "Standard_LRS")
			for name, value := range tt.header {
				w.Header().Set(name, value)
			}
			switch q := r.URL.Query(); {
			case q.Get("comp") == "list" && q.Get("include") == "versions":
				w.Header().Set("Content-Type", "application/xml")
				_, _ = io.WriteString(w, tt.list)
			case r.URL.Path == "/account/" && q.Get("comp") == "properties" && q.Get("restype") == "service":
				w.Header().Set("Content-Type", "application/xml")
				_, _ = io.WriteString(w, tt.service)
			}
		})
		got, err := b.Features().Settings(t.Context())
		if err != nil || len(f.take()) != 4 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for _, s := range got {
			want, listed := tt.want[s.Name]
			if !listed && name == "empty" {
				continue
			}
			value, advice, _ := strings.Cut(want, "/")
			if !listed || s.Value != value || (s.Advice == "") != (advice == "") || !strings.Contains(s.Advice, advice) || (s.Grant != "") != (tt.code != "") {
				t.Errorf("%s: %+v, want %q", name, s, want)
			}
		}
	}
	b, _ := fakeStore(t, reject(503, "ServerBusy"))
	if _, err := b.Features().Settings(t.Context()); driver.KindOf(err) != driver.Throttled {
		t.Errorf("got %v", err)
	}
}
