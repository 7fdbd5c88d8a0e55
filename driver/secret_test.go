package driver_test

import (
	"testing"

	"github.com/blobdock/blobdock/driver"
)

func TestTrimSecret(t *testing.T) {
	for text, want := range map[string]string{
		"s3cr3t": "s3cr3t", "s3cr3t\n": "s3cr3t", " s3cr3t\r\n\t": "s3cr3t", "\ufeffs3cr3t": "s3cr3t", "\n\ufeff s3cr3t": "s3cr3t",
		`"s3cr3t"`: "s3cr3t", `'s3cr3t'`: "s3cr3t", "\ufeff\"s3cr3t\n\"\n": "s3cr3t", "'' ": "",
		`"s3cr3t`: `"s3cr3t`, `s3"cr'3t'`: `s3"cr'3t'`, `"s3cr3t'`: `"s3cr3t'`, `"`: `"`, "": "", "s3 cr3t": "s3 cr3t",
	} {
		if got := driver.TrimSecret(text); got != want {
			t.Errorf("TrimSecret(%q) = %q, want %q", text, got, want)
		}
	}
}
