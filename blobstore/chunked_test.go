package blobstore_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/blobstore"
	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

// TestChunked counts what PATCHes cost. Their bytes lie in the session, which each
// request reads and writes again, until they are enough for a part.
func TestChunked(t *testing.T) {
	const mib = 1 << 20
	s3 := driver.PartLimits{MinSize: 5 * mib}
	r2 := driver.PartLimits{MinSize: 5 * mib, Uniform: true}
	gcs := driver.PartLimits{MinSize: 1}
	few := driver.PartLimits{MinSize: 5 * mib, MaxParts: 3}
	for _, tc := range []struct {
		name        string
		limits      driver.PartLimits
		part        int64
		size, chunk int // MiB
		parts       int64
		calls       int64 // of all kinds
		sent, read  int64 // MiB
	}{
		{name: "S3", limits: s3, part: 8 * mib, size: 16, chunk: 1, parts: 3, calls: 43, sent: 80, read: 52},
		{name: "equal parts", limits: r2, part: 8 * mib, size: 16, chunk: 1, parts: 2, calls: 41, sent: 96, read: 72},
		{name: "few part numbers", limits: few, part: 8 * mib, size: 16, chunk: 1, parts: 2, calls: 41, sent: 96, read: 72},
		{name: "large parts", limits: gcs, part: 16 * mib, size: 16, chunk: 1, parts: 3, calls: 43, sent: 77, read: 49},
		{name: "larger parts", limits: gcs, part: 32 * mib, size: 16, chunk: 1, parts: 2, calls: 41, sent: 88, read: 64},
		{name: "one part", limits: s3, part: 8 * mib, size: 8, chunk: 1, parts: 0, calls: 21, sent: 44, read: 36},
		{name: "chunks as large as parts", limits: s3, part: 8 * mib, size: 24, chunk: 8, parts: 3, calls: 17, sent: 40, read: 8},
		{name: "one chunk", limits: s3, part: 8 * mib, size: 21, chunk: 21, parts: 3, calls: 12, sent: 21, read: 0},
		{name: "one chunk, little more than a part", limits: s3, part: 8 * mib, size: 12, chunk: 12, parts: 2, calls: 11, sent: 16, read: 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls meter.Counter
			b := mem.NewWith(mem.Options{Parts: tc.limits})
			s, err := blobstore.New(meter.Wrap(b, calls.Observe), blobstore.Options{
				PartSize: tc.part, MemoryBudget: 128 * mib, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			repo, p := newRepository(t, s, "app"), content(1, tc.size*mib)
			d := digest.FromBytes(p)
			if err := push(s, repo, p, tc.chunk*mib, d); err != nil {
				t.Fatal(err)
			}
			total, parts := calls.Total(), calls.Calls(driver.OpPutPart)
			sent, read := total.Sent/mib, total.Received/mib
			if parts != tc.parts || total.Calls != tc.calls || sent != tc.sent || read != tc.read {
				t.Errorf("%d MiB: %d parts, %d calls, sent %d MiB, read %d; want %d, %d, %d, %d",
					tc.size, parts, total.Calls, sent, read, tc.parts, tc.calls, tc.sent, tc.read)
			}
			if got, err := repo.Get(t.Context(), d); err != nil || !bytes.Equal(got, p) {
				t.Errorf("Get: %d bytes, %v", len(got), err)
			}
		})
	}
}
