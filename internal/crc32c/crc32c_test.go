package crc32c_test

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/blobdock/blobdock/internal/crc32c"
)

func TestCombine(t *testing.T) {
	table := crc32.MakeTable(crc32.Castagnoli)
	random := rand.NewChaCha8([32]byte{1})
	var whole []byte
	var sum uint32
	for _, size := range []int{0, 1, 7, 8, 1023, 0, 65536, 100_001} {
		p := make([]byte, size)
		_, _ = random.Read(p)
		whole = append(whole, p...)
		sum = crc32c.Combine(sum, crc32.Checksum(p, table), int64(size))
		if want := crc32.Checksum(whole, table); sum != want {
			t.Errorf("%d bytes behind %d: got %08x, want %08x", size, len(whole)-size, sum, want)
		}
	}
}
