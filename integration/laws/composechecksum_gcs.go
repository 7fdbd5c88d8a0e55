package laws

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"

	"github.com/blobdock/blobdock/internal/crc32c"
)

// composeChecksum refuses to compose an object whose request names another checksum. The
// sources' sums are those that the store has computed.
func composeChecksum(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op != "objects.compose" {
			next(w, c)
			return
		}
		request, err := compositionOf(c)
		if err != nil || request.Destination.CRC32C == "" {
			next(w, c)
			return
		}
		var sum uint32
		for _, source := range request.SourceObjects {
			o := r.stat(c.Context(), name{c.bucket, source.Name}, source.Generation)
			if o == nil {
				next(w, c) // the store refuses it
				return
			}
			b, err := base64.StdEncoding.DecodeString(o.CRC32C)
			if err != nil || len(b) != crc32.Size {
				r.logf("law %s: the store says that %s has the CRC32C %q", r.law, o.Name, o.CRC32C)
				next(w, c)
				return
			}
			sum = crc32c.Combine(sum, binary.BigEndian.Uint32(b), o.Size)
		}
		if got := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)); got != request.Destination.CRC32C {
			r.refuseGCS(w, c, http.StatusBadRequest, "invalid", fmt.Sprintf("Provided CRC32C %q doesn't match calculated CRC32C %q.", request.Destination.CRC32C, got))
			return
		}
		next(w, c)
	}
}
