package s3

import (
	"net/http"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// BenchmarkSign signs the URL of a pull with a static key.
func BenchmarkSign(b *testing.B) {
	bucket := openTest(b, testConfig("https://store.example.com"))
	r := driver.SignRequest{
		Method: http.MethodGet, Key: "docker/registry/v2/blobs/sha256/00/00/data", Expires: 20 * time.Minute,
		ContentType: "application/octet-stream", CacheControl: "max-age=31536000",
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bucket.features.Sign(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
