package s3

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"

	"github.com/blobdock/blobdock/driver"
)

// TestReportedChecksums has the store report sums of several kinds with a HEAD.
func TestReportedChecksums(t *testing.T) {
	const crc, sha = "mnG7TA==", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
	digest, err := hex.DecodeString(helloSHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		header map[string]string
		want   driver.Checksums
	}{
		{"none", nil, driver.Checksums{}},
		{"CRC-32C", map[string]string{"Crc32c": crc, "Type": "FULL_OBJECT"}, driver.Checksums{CRC32C: new(uint32(0x9a71bb4c))}},
		{"SHA-256", map[string]string{"Sha256": sha, "Type": "FULL_OBJECT"}, driver.Checksums{SHA256: digest}},
		{"both", map[string]string{"Sha256": sha, "Crc32c": crc, "Type": "FULL_OBJECT"}, driver.Checksums{CRC32C: new(uint32(0x9a71bb4c)), SHA256: digest}},
		{"of parts", map[string]string{"Crc32c": crc + "-3", "Type": "COMPOSITE"}, driver.Checksums{}},
		{"of a single part", map[string]string{"Crc32c": crc, "Type": "COMPOSITE"}, driver.Checksums{}},
		{"of an unknown type", map[string]string{"Crc32c": crc}, driver.Checksums{}},
		{"of parts, called full", map[string]string{"Crc32c": crc + "-3", "Type": "FULL_OBJECT"}, driver.Checksums{}},
		{"another algorithm", map[string]string{"Crc64nvme": "rosUhgp5mIg=", "Type": "FULL_OBJECT"}, driver.Checksums{}},
		{"wrong length", map[string]string{"Crc32c": "mnG7", "Sha256": crc, "Type": "FULL_OBJECT"}, driver.Checksums{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
				for name, value := range tt.header {
					w.Header().Set("X-Amz-Checksum-"+name, value)
				}
				answers(w, r)
			})
			obj, err := b.features.StatChecksums(t.Context(), "key")
			if err != nil {
				t.Fatal(err)
			}
			if got := f.take(); len(got) != 1 || got[0].header.Get("X-Amz-Checksum-Mode") != "ENABLED" {
				t.Errorf("requests: %v, want one that asks for sums", got)
			}
			got, want := obj.Checksums, tt.want
			if !bytes.Equal(got.SHA256, want.SHA256) || (got.CRC32C == nil) != (want.CRC32C == nil) || got.CRC32C != nil && *got.CRC32C != *want.CRC32C {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestChecksumsDenied lacks the permission to decrypt: Amazon S3 refuses to tell the sums of
// an object that KMS encrypts, and tells all the rest.
func TestChecksumsDenied(t *testing.T) {
	for _, all := range []bool{false, true} {
		b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
			if all || r.Header.Get("X-Amz-Checksum-Mode") != "" {
				reject(http.StatusForbidden, "AccessDenied", "")(w, r)
				return
			}
			answers(w, r)
		})
		obj, err := b.features.StatChecksums(t.Context(), "key")
		if all != errors.Is(err, driver.Denied) || !all && (err != nil || obj.ETag == "") {
			t.Errorf("denied in any case: %t: %+v, %v", all, obj, err)
		}
		if got := f.take(); len(got) != 2 {
			t.Errorf("%d requests, want 2", len(got))
		}
	}
}

// TestNoChecksums has no such feature where the store is not known to keep sums.
func TestNoChecksums(t *testing.T) {
	for sum, want := range map[Checksum]bool{ChecksumNone: false, ChecksumMD5: false, ChecksumCRC32: true, ChecksumCRC32C: true} {
		b, _ := fakeStore(t, answers, func(c *Config) { c.Checksum = sum })
		if got := b.Features().StatChecksums != nil; got != want {
			t.Errorf("checksum=%s: offered: %t, want %t", sum, got, want)
		}
	}
}
