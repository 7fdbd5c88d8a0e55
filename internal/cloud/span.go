package cloud

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/blobdock/blobdock/driver"
)

// Span is what a request asks for to read a range. It begins up to a byte before
// the range: where that starts at the end of the object there is this byte, and
// the reply has the object's headers; a start beyond the end is a 416. To ask for
// the range itself would be a 416 in both cases, without the headers.
type Span struct {
	want driver.Range
	lead int64 // bytes before want
}

// NewSpan is Invalid for a negative range.
func NewSpan(r driver.Range) (Span, error) {
	_, err := r.Resolve(math.MaxInt64)
	return Span{want: r, lead: min(r.Off, 1)}, err
}

// All tells that the request asks for no range.
func (s Span) All() bool { return s.want == driver.Range{} }

// Bounds are the first byte to ask for, and how many; 0 is all from there on.
func (s Span) Bounds() (off, n int64) {
	off = s.want.Off - s.lead
	if s.want.Len == 0 || s.want.Len > math.MaxInt64-s.want.Off {
		return off, 0
	}
	return off, s.want.Len + s.lead
}

// Header is the value of Range, "" for all.
func (s Span) Header() string {
	off, n := s.Bounds()
	switch {
	case s.All():
		return ""
	case n == 0:
		return fmt.Sprintf("bytes=%d-", off)
	default:
		return fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	}
}

// Deliver is the reader of what came for s: body, which it closes when it fails,
// of the object that obj describes by the reply's headers.
func (c *Call) Deliver(s Span, body io.ReadCloser, obj driver.Object) (*driver.Reader, error) {
	got, err := c.align(s, body, &obj)
	if err != nil {
		_ = body.Close()
		return nil, err
	}
	return &driver.Reader{ReadCloser: &downstream{body, got.Len}, Object: obj, Range: got}, nil
}

// align fits s to what the store delivers, and puts the whole object's size into
// obj.
func (c *Call) align(s Span, body io.Reader, obj *driver.Object) (driver.Range, error) {
	off, _ := s.Bounds()
	if c.Status == http.StatusPartialContent {
		header := c.Header.Get("Content-Range")
		first, size, ok := parseContentRange(header)
		if !ok || first != off {
			return driver.Range{}, fmt.Errorf("asked for bytes from %d on, got Content-Range %q: %w", off, header, driver.Unsupported)
		}
		obj.Size = size
	} else if off > 0 || obj.Size < 0 {
		return driver.Range{}, fmt.Errorf("asked for bytes from %d on, got status %d without a range or length: %w", off, c.Status, driver.Unsupported)
	}
	got, err := s.want.Resolve(obj.Size)
	if err != nil || s.lead == 0 {
		return got, err
	}
	if _, err = io.CopyN(io.Discard, body, s.lead); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return got, err
}

// parseContentRange reads "bytes first-last/size". Azurite delivers no bytes from the
// end on, where others refuse; first is size then.
func parseContentRange(s string) (first, size int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, total, ok2 := strings.Cut(s, "/")
	from, _, ok3 := strings.Cut(span, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	return first, size, ok && ok2 && ok3 && err == nil && err2 == nil && first >= 0 && size >= first
}

// downstream delivers left bytes and then io.EOF.
type downstream struct {
	body io.ReadCloser
	left int64
}

func (d *downstream) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	n, err := d.body.Read(p[:min(int64(len(p)), d.left)])
	d.left -= int64(n)
	if err == io.EOF && d.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (d *downstream) Close() error { return d.body.Close() }
