package driver_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	_ "github.com/blobdock/blobdock/driver/file"
	_ "github.com/blobdock/blobdock/driver/mem"
)

func TestOpen(t *testing.T) {
	if got := driver.Schemes(); !slices.Contains(got, "mem") || !slices.Contains(got, "file") || !slices.IsSorted(got) {
		t.Errorf("schemes are %q", got)
	}
	b, err := driver.Open(t.Context(), "mem://"+t.Name())
	if err != nil || b.Features().Name != "mem" {
		t.Fatalf("Open: %v", err)
	}
	for _, tt := range []struct {
		url   string
		words []string
	}{
		{"nope://bucket", []string{`unknown scheme "nope"`, "file", "mem"}},
		{"bucket", []string{`unknown scheme ""`}},
		{"mem://name?regoin=x", []string{`unknown parameter "regoin"`, "part_min"}},
		{"mem://name?part_min=x", []string{`part_min="x"`, "16MiB"}},
		{"mem://", []string{"mem://name"}},
		{"mem://name/a/../b", []string{"prefix", `".."`}},
		{"file://", []string{"file:///"}},
		{"file:///x?fsnyc=0", []string{`unknown parameter "fsnyc"`, "create, fsync"}},
		{"file:///data/secret#1", []string{"#", "%23"}},
		{"file:///data/secret#", []string{"#", "%23"}},
		{"s3://bucket/a#secret", []string{"#", "%23"}},
		{"mem://name/secret#b?part_min=x", []string{"#", "%23"}},
		{"file:///data/100%/x", []string{"%", "%25"}},
		{"file:///data/what?/x", []string{`unknown parameter "/x"`, "?", "%3F"}},
		{"file:///data/what?", []string{"?", "%3F"}},
		{"file://my dir/x", []string{"space", "file://./NAME", "%20"}},
		{"file://100%/x", []string{"%", "file://./NAME", "%25"}},
		{"file://my%20dir/x", []string{"file://./NAME"}},
		{"file://a@b/x", []string{"@", "file://./NAME"}},
		{"file://secret:secret@b/x", []string{"@", "file://./NAME"}},
		{"file://localhost/x", []string{"file:///absolute/path", "file://./localhost"}},
		{"mem://us er:secret@name?key=secret", []string{"storage URL"}},
		{"mem://user:secret@name?key=secret", []string{`unknown parameter "key"`}},
		{"://secret", []string{"scheme://bucket"}},
	} {
		_, err := driver.Open(t.Context(), tt.url)
		if !errors.Is(err, driver.Invalid) {
			t.Errorf("Open(%q) = %v, want Invalid", tt.url, err)
			continue
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("Open(%q): %q does not say %q", tt.url, err, w)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) tells a secret: %v", tt.url, err)
		}
	}
}

func TestRegisterTwice(t *testing.T) {
	o := func(context.Context, *url.URL, *driver.Params) (func() (driver.Bucket, error), error) {
		return nil, driver.Unsupported
	}
	scheme := "test-" + strings.ToLower(rand.Text()) // schemes live as long as the process
	driver.Register(scheme, o)
	if _, err := driver.Open(t.Context(), scheme+"://x"); !errors.Is(err, driver.Unsupported) {
		t.Errorf("Open: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("the second Register of a scheme did not panic")
		}
	}()
	driver.Register(scheme, o)
}

func TestRedactURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://host/path":                         "https://host/path",
		"https://host/p%20a?X-Amz-Signature=secret": "https://host/p%20a?...",
		"https://user:secret@host/p#secret":         "https://host/p",
		"https://host/?":                            "https://host/?",
		"https://ho st/%zz?secret":                  "(unparsable URL)",
		"s3://arn:aws:s3:r:1:accesspoint/p?secret":  "s3://arn:aws:s3:r:1:accesspoint/p?...",
		"s3://arn:aws:user:secret@s3/p":             "(unparsable URL)",
	} {
		if got := driver.RedactURL(raw); got != want {
			t.Errorf("RedactURL(%q) = %q, want %q", raw, got, want)
		}
		if got := (driver.SignedURL{URL: raw}).String(); got != want {
			t.Errorf("SignedURL of %q prints as %q", raw, got)
		}
	}
}
