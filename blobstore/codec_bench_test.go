package blobstore

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkSession encodes and decodes what is written and read with each request
// of an upload.
func BenchmarkSession(b *testing.B) {
	for _, parts := range []int{10, 1000} {
		s := sampleSession(parts)
		head, err := encodeSession(s, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("encode/%d_parts", parts), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(head)))
			for b.Loop() {
				if _, err := encodeSession(s, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("decode/%d_parts", parts), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(head)))
			for b.Loop() {
				if _, err := decodeSession(bytes.NewReader(head), int64(len(head))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
