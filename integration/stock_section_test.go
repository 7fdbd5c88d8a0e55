package integration_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
)

// TestStockSection serves what distribution's own drivers have in their section, with
// "driver" beside it: all that reaches the store stands in the file, or in distribution's
// variables. No credential shows in what is printed and logged.
func TestStockSection(t *testing.T) {
	t.Parallel()
	s, a := emulator.Start(t), emulator.StartAzure(t)
	bucket, container := s.NewBucket(t), a.NewContainer(t)
	for _, tt := range []struct {
		name, section string
		env           []string
		secret        string
	}{
		{"s3", fmt.Sprintf(`{driver: s3, bucket: %s, region: %s, regionendpoint: %q, secretkey: %s, rootdirectory: /reg, chunksize: 6291456, loglevel: debug}`,
			bucket, s.Region, s.Endpoint, s.SecretKey), []string{"REGISTRY_STORAGE_BLOBDOCK_ACCESSKEY=" + s.AccessKey}, s.SecretKey},
		{"azure", fmt.Sprintf(`{driver: azure, container: %s, accountname: %s, serviceurl: %q, rootdirectory: /reg}`,
			container, a.Account, a.Endpoint), []string{"REGISTRY_STORAGE_BLOBDOCK_ACCOUNTKEY=" + a.Key}, a.Key},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "config.yml")
			text := "version: 0.1\nlog: {level: debug}\nstorage:\n  blobdock: " + tt.section + "\nhttp: {secret: a-secret-of-its-own}\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p := serving(t, tt.env, func(addr string) []string { return []string{"--listen", addr, path} })
			img := randomImage(t, 50*kib, 2)
			writeImage(t, p.url, "stock/image:v1", img)
			readImage(t, p.url, "stock/image:v1", hashOf(t, img))
			blob := content{64 * kib, 7}
			push(t, p.url, "stock", blob, 0)
			at := do(t, http.MethodGet, p.url+"/v2/stock/blobs/"+blob.digest().String(), nil, nil).want(t, http.StatusTemporaryRedirect).location()
			if u, err := url.Parse(at); err != nil || !strings.Contains(u.Path, "/reg/docker/registry/v2/blobs/") {
				t.Errorf("redirects to %s, want a blob below /reg", at)
			}
			p.interrupt(t)
			p.code(t, 20*time.Second)

			printing := launch(t, tt.env, "serve", "--print-config", path)
			if code := printing.code(t, 20*time.Second); code != 0 {
				t.Errorf("--print-config: exit code %d\n%s", code, printing.stderr.String())
			}
			shown := printing.stdout.String()
			if !strings.Contains(shown, "REDACTED") || !strings.Contains(shown, "/reg") {
				t.Errorf("--print-config prints\n%s", shown)
			}
			log := p.stdout.String() + p.stderr.String()
			if tt.name == "s3" && !strings.Contains(log, `"store request"`) {
				t.Error("loglevel: debug logs no request to the store")
			}
			for what, text := range map[string]string{"--print-config": shown, "the log": log} {
				if strings.Contains(text, tt.secret) || strings.Contains(text, "a-secret-of-its-own") || strings.Contains(text, "X-Amz-Signature=") {
					t.Errorf("%s tells a secret:\n%s", what, text)
				}
			}
		})
	}
}
