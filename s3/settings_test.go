package s3

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestSettings reads versioning, Object Lock and encryption. What is refused names its
// permission, and what a store does not know is no failure.
func TestSettings(t *testing.T) {
	const off = "ObjectLockConfigurationNotFoundError"
	xml := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	kms := func(rest string) http.HandlerFunc {
		return xml(`<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault>` + rest + `</Rule></ServerSideEncryptionConfiguration>`)
	}
	plain := xml(`<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`)
	denied := reject(403, "AccessDenied", "")
	for name, tt := range map[string]struct {
		versioning, lock, encryption http.HandlerFunc
		want                         [3]driver.BucketSetting // of Advice and Grant a word each
	}{
		"as new":    {xml(`<VersioningConfiguration/>`), reject(404, off, ""), plain, [3]driver.BucketSetting{{Value: "off"}, {Value: "off"}, {Value: "AES256"}}},
		"versioned": {xml(`<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`), reject(404, off, ""), reject(404, "ServerSideEncryptionConfigurationNotFoundError", ""), [3]driver.BucketSetting{{Value: "on", Advice: "NoncurrentVersionExpiration"}, {Value: "off"}, {Value: "none"}}},
		"suspended": {xml(`<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>`), xml(`<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>`), kms(``), [3]driver.BucketSetting{{Value: "suspended", Advice: "versions"}, {Value: "on", Advice: "without"}, {Value: "aws:kms", Advice: "Bucket Keys"}}},
		"locked": {xml(`<VersioningConfiguration/>`), xml(`<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>`), kms(`<BucketKeyEnabled>true</BucketKeyEnabled>`),
			[3]driver.BucketSetting{{Value: "off"}, {Value: "on, with a default retention (COMPLIANCE)", Advice: "deleted"}, {Value: "aws:kms"}}},
		"refused":      {denied, denied, denied, [3]driver.BucketSetting{{Grant: "s3:GetBucketVersioning"}, {Grant: "s3:GetBucketObjectLockConfiguration"}, {Grant: "s3:GetEncryptionConfiguration"}}},
		"another kind": {reject(501, "NotImplemented", ""), reject(400, "InvalidArgument", ""), reject(405, "MethodNotAllowed", ""), [3]driver.BucketSetting{{Value: "the store does not tell"}, {Value: "the store does not tell"}, {Value: "the store does not tell"}}},
	} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case q.Has("versioning"):
				tt.versioning(w, r)
			case q.Has("object-lock"):
				tt.lock(w, r)
			case q.Has("encryption"):
				tt.encryption(w, r)
			}
		})
		got, err := b.Features().Settings(t.Context())
		if err != nil || len(got) != 3 || len(f.take()) != 3 {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		for i, want := range tt.want {
			if g := got[i]; g.Value != want.Value || !strings.Contains(g.Advice, want.Advice) || (g.Advice == "") != (want.Advice == "") || g.Grant != want.Grant {
				t.Errorf("%s: %+v, want %+v", name, g, want)
			}
		}
	}
	b, _ := fakeStore(t, reject(503, "ServiceUnavailable", ""))
	if _, err := b.Features().Settings(t.Context()); driver.KindOf(err) != driver.Unavailable {
		t.Errorf("got %v", err)
	}
}
