package verify

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	t.Setenv("AZURE_STORAGE_KEY", "a-key-that-nobody-may-see==")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "short") // as a word of the text may be
	for _, tt := range []struct{ text, want string }{
		{"nothing to hide, short", "nothing to hide, short"},
		{"https://developers.example.com/page/", "https://developers.example.com/page/"},
		{"GET https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&x=1: 403", "GET https://b.s3.amazonaws.com/k?... 403"},
		{`Get "http://127.0.0.1:1/c/k?sig=a%2Bb%3D": refused`, `Get "http://127.0.0.1:1/c/k?...": refused`},
		{"https://user:password@example.com/", "https://example.com/"},
		{"| a-key-that-nobody-may-see== |", "| REDACTED |"},
	} {
		if got := clean(tt.text); got != tt.want && !strings.HasPrefix(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestNameless(t *testing.T) {
	for _, tt := range []struct{ text, bucket, want string }{
		{"the object mine/a/b exceeded the rate", "mine", "the object BUCKET/a/b exceeded the rate"},
		{"a/b is mine", "mine", "a/b is mine"},
		{"a/b", "", "a/b"},
	} {
		if got := nameless(tt.text, tt.bucket); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for raw, want := range map[string]string{
		"": "the SDK's own", "http://127.0.0.1:10000/devstoreaccount1": "http://127.0.0.1:10000",
		"https://mine.blob.core.windows.net":            "https://ACCOUNT.blob.core.windows.net",
		"https://0123456789.r2.cloudflarestorage.com/x": "https://ACCOUNT.r2.cloudflarestorage.com",
	} {
		if got := endpoint(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
