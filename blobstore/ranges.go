package blobstore

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// maxRanges bounds the ranges of one request: more than these, and ranges that are
// together longer than the blob, are answered by the whole blob, as RFC 9110, section
// 14.2, lets a server protect itself. containers/storage asks for at most 1024 at a time.
// https://github.com/containers/storage/blob/main/pkg/chunked/storage_linux.go
const maxRanges = 1024

// errUnsatisfiable is the answer to ranges none of which begins within the blob: 416.
var errUnsatisfiable = errors.New("no range begins within the blob")

// requestedRanges are the ranges of a blob of size bytes that req asks for, in its order;
// none for all of the blob. A Range header of an unknown unit, or one that is not well
// formed, counts as absent (RFC 9110, section 14.2), and so does one whose If-Range names
// another content than etag.
func requestedRanges(req *http.Request, etag string, size int64) ([]driver.Range, error) {
	if cond := req.Header.Get("If-Range"); cond != "" && cond != etag {
		return nil, nil
	}
	unit, set, _ := strings.Cut(req.Header.Get("Range"), "=")
	if !strings.EqualFold(unit, "bytes") {
		return nil, nil
	}
	var ranges []driver.Range
	var total int64
	specs := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // RFC 9110, section 5.6.1
		}
		r, ok := parseRange(spec, size)
		if specs++; !ok || specs > maxRanges {
			return nil, nil
		}
		if r.Len > 0 {
			ranges, total = append(ranges, r), total+r.Len
		}
	}
	switch {
	case specs > 0 && len(ranges) == 0:
		return nil, errUnsatisfiable
	case total > size:
		return nil, nil
	}
	return ranges, nil
}

// parseRange reads first-last, first- or -length. A range without a byte of the blob has
// length 0.
func parseRange(spec string, size int64) (driver.Range, bool) {
	from, to, ok := strings.Cut(spec, "-")
	first, last := int64(0), int64(math.MaxInt64)
	if from != "" {
		first, ok = parsePosition(from, ok)
	}
	if to != "" {
		last, ok = parsePosition(to, ok)
	}
	switch {
	case !ok || from == "" && to == "" || first > last:
		return driver.Range{}, false
	case from == "":
		first, last = max(0, size-last), size-1
	}
	if last = min(last, size-1); first > last {
		return driver.Range{}, true
	}
	return driver.Range{Off: first, Len: last - first + 1}, true
}

// parsePosition reads digits. A number beyond int64 is behind every blob's end.
func parsePosition(digits string, ok bool) (int64, bool) {
	n, err := strconv.ParseUint(digits, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, ok
	}
	return int64(n), ok && err == nil
}
