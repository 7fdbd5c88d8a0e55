package cloudcdn

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"
)

// TestSignature has the values of Google's own samples.
// https://github.com/GoogleCloudPlatform/golang-samples/tree/main/cdn/signedurls
// https://github.com/GoogleCloudPlatform/python-docs-samples/tree/main/cdn
func TestSignature(t *testing.T) {
	key, err := base64.URLEncoding.DecodeString("nZtRohdNF9m3cKM24IcK4w==")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		url     string
		expires int64
		want    string
	}{
		{"http://35.186.234.33/index.html", 1558131350, "fm6JZSmKNsB5sys8VGr-JE4LiiE="},
		{"http://35.186.234.33/index.html", 1549751401, "CRFqQnVfFyiUyR63OQf-HRUpIwc="},
		{"http://www.example.com/", 1549751401, "OqDUFfHpN5Vxga6r80bhsgxKves="},
	} {
		want := fmt.Sprintf("%s?Expires=%d&KeyName=my-key&Signature=%s", tt.url, tt.expires, tt.want)
		if got := sign(tt.url, "my-key", key, time.Unix(tt.expires, 0)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
