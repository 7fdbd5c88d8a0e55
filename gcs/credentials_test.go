package gcs_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

// TestCredentialsBeside takes a key file's content in the place of the file, by the URL's
// side and not in it.
func TestCredentialsBeside(t *testing.T) {
	f := newFake(t, "bucket")
	text, err := os.ReadFile(newKey(t).file)
	if err != nil {
		t.Fatal(err)
	}
	l, err := driver.Parse(t.Context(), "gs://bucket?endpoint="+f.URL, driver.Beside{"credentials": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.ListPage(t.Context(), driver.ListRequest{}); err != nil {
		t.Errorf("ListPage: %v", err)
	}
	if _, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "key", Expires: time.Minute}); err != nil {
		t.Errorf("Sign: %v", err)
	}
	for _, s := range l.Settings() {
		if strings.Contains(s.Value, "PRIVATE KEY") {
			t.Errorf("%s tells the key", s.Name)
		}
	}
	for _, tt := range []struct {
		c    gcs.Config
		want string
	}{
		{gcs.Config{Bucket: "b", CredentialsJSON: "s3cr3t"}, "not JSON"},
		{gcs.Config{Bucket: "b", CredentialsJSON: string(text), CredentialsFile: "f"}, "exclude each other"},
		{gcs.Config{Bucket: "b", CredentialsJSON: string(text), Anonymous: true}, "anonymous"},
	} {
		_, err := gcs.Open(t.Context(), tt.c)
		if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("got %v, want %v with %q", err, driver.Invalid, tt.want)
		}
		if shown := fmt.Sprintf("%v %#v", tt.c, tt.c); strings.Contains(shown, "s3cr3t") || strings.Contains(shown, "PRIVATE") {
			t.Errorf("prints %s", shown)
		}
	}
}
