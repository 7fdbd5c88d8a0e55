package s3

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestCustomerKey sends the key wherever bytes are read or written, and nowhere else.
func TestCustomerKey(t *testing.T) {
	key := []byte(strings.Repeat("k", customerKeySize))
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fake{answer: answers}
	srv := httptest.NewTLSServer(f)
	t.Cleanup(srv.Close)
	c := testConfig(srv.URL)
	c.SSECustomerKeyFile, c.SkipVerify = file, true
	b := openTest(t, c)
	if b.Features().Sign != nil {
		t.Error("signs URLs, which nobody could read by")
	}

	const sum = "mT2HRsMGJ5IX5C+0rreZ8Q==" // MD5 of the key
	object := map[driver.Op]bool{
		driver.OpStat: true, driver.OpOpen: true, driver.OpPut: true, driver.OpCreateUpload: true, driver.OpPutPart: true,
		driver.OpCompleteUpload: true, driver.OpCopy: true, driver.OpCopyPart: true,
	}
	everyVerb(t, b, func(op driver.Op, err error) {
		if err != nil && op != driver.OpOpen { // whose answer has no body
			t.Errorf("%s: %v", op, err)
		}
		for _, r := range f.take() {
			source := op == driver.OpCopy || op == driver.OpCopyPart
			for prefix, want := range map[string]bool{
				"X-Amz-Server-Side-Encryption-Customer-": object[op], "X-Amz-Copy-Source-Server-Side-Encryption-Customer-": source,
			} {
				got := [3]string{r.header.Get(prefix + "Algorithm"), r.header.Get(prefix + "Key"), r.header.Get(prefix + "Key-Md5")}
				wanted := [3]string{}
				if want {
					wanted = [3]string{"AES256", base64.StdEncoding.EncodeToString(key), sum}
				}
				if got != wanted {
					t.Errorf("%s: %s... is %q, want %q", op, prefix, got, wanted)
				}
			}
		}
	})
	c.Endpoint = strings.Replace(srv.URL, "https", "http", 1)
	if _, err := Open(t.Context(), c); !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), "https") {
		t.Errorf("over plain http: got %v, want %v", err, driver.Invalid)
	}
}

func TestReadCustomerKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfe}, customerKeySize)
	text := base64.StdEncoding.EncodeToString(raw)
	for _, tt := range []struct {
		name, content string
		good          bool
	}{
		{"raw", string(raw), true}, {"base64", text, true}, {"base64 with a newline", text + "\n", true},
		{"short", "s3cr3t", false}, {"empty", "", false}, {"base64 of 31 bytes", base64.StdEncoding.EncodeToString(raw[1:]), false},
	} {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := readCustomerKey(file)
		switch {
		case tt.good && (err != nil || k.key != text):
			t.Errorf("%s: got %v, %v", tt.name, k, err)
		case !tt.good && !errors.Is(err, driver.Invalid):
			t.Errorf("%s: got %v, want %v", tt.name, err, driver.Invalid)
		case err != nil && tt.content != "" && strings.Contains(err.Error(), tt.content):
			t.Errorf("%s: tells the key: %v", tt.name, err)
		}
	}
}

// TestEncryptionContext goes along with the three requests that create an object.
func TestEncryptionContext(t *testing.T) {
	b, f := fakeStore(t, answers, func(c *Config) {
		c.SSE, c.SSEKMSContext = "aws:kms", map[string]string{"team": "a", "stage": "b"}
	})
	want := base64.StdEncoding.EncodeToString([]byte(`{"stage":"b","team":"a"}`))
	creates := map[driver.Op]bool{driver.OpPut: true, driver.OpCreateUpload: true, driver.OpCopy: true}
	everyVerb(t, b, func(op driver.Op, _ error) {
		for _, r := range f.take() {
			got := r.header.Get("X-Amz-Server-Side-Encryption-Context")
			if creates[op] && got != want || !creates[op] && got != "" {
				t.Errorf("%s: context %q, want %q of those that create", op, got, want)
			}
		}
	})
}
