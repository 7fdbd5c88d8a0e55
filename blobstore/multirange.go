package blobstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
)

// streamedMin is the length in bytes from which on ranges that lie together are streamed
// by a request of their own. Shorter ones are fetched ahead as chunks, so that an answer
// holds at most chunkRequests times as much memory.
const streamedMin = 1 << 20

// multirange is the body of an answer to a request for several ranges: multipart/byteranges
// with a part for each range, in the order of the request (RFC 9110, section 14.6).
// containers/image counts the parts, so no two ranges share one.
type multirange struct {
	parts    io.Reader
	source   *rangesReader
	content  *bufio.Reader // of source
	begun    bool
	boundary string
	size     int64 // of all parts and what is between them
}

// multirange reads ranges. It sends no request before it is read.
func (b *Blob) multirange(ctx context.Context, ranges []driver.Range, mediaType string) *multirange {
	m := &multirange{
		source: &rangesReader{ctx: ctx, blob: b, runs: split(ranges)},
		// GET and HEAD have the same boundary. The content can't have it, as it depends
		// on the content's own digest.
		boundary: digest.SHA256.FromString("boundary " + b.target.String()).Encoded(),
	}
	m.content = bufio.NewReader(m.source)
	var parts []io.Reader
	for i, r := range ranges {
		head := fmt.Sprintf("\r\n--%s\r\nContent-Type: %s\r\nContent-Range: bytes %d-%d/%d\r\n\r\n", m.boundary, mediaType, r.Off, r.Off+r.Len-1, b.object.Size)
		if i == 0 {
			head = head[len("\r\n"):]
		}
		parts = append(parts, strings.NewReader(head), io.LimitReader(m.content, r.Len))
		m.size += int64(len(head)) + r.Len
	}
	tail := "\r\n--" + m.boundary + "--\r\n"
	m.size += int64(len(tail))
	m.parts = io.MultiReader(append(parts, strings.NewReader(tail))...)
	return m
}

func (m *multirange) contentType() string { return "multipart/byteranges; boundary=" + m.boundary }

// Read has content before it returns the first part's header, so that a store that fails
// can still be answered by an error.
func (m *multirange) Read(p []byte) (int, error) {
	if !m.begun {
		m.begun = true
		if _, err := m.content.Peek(1); err != nil {
			return 0, err
		}
	}
	return m.parts.Read(p)
}

// Seek tells http.ServeContent the size, before anything is read.
func (m *multirange) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset == 0 && whence == io.SeekEnd:
		return m.size, nil
	case offset == 0 && whence == io.SeekStart:
		return 0, nil
	}
	return 0, fmt.Errorf("seek to %d from %d in several ranges: %w", offset, whence, driver.Invalid)
}

func (m *multirange) Close() error { return m.source.Close() }

func (m *multirange) failure() error { return m.source.failed }

// split makes runs of ranges: the ranges of each run are read at the same time, or by one
// request where they lie together and are long.
func split(ranges []driver.Range) (runs []run) {
	var end int64
	for _, group := range merge(ranges, math.MaxInt64) {
		long := extent(group).Len >= streamedMin
		last := len(runs) - 1
		if long || last < 0 || runs[last].streamed || group[0].Off < end { // chunks ascend
			runs = append(runs, run{streamed: long})
			last++
		}
		runs[last].ranges = append(runs[last].ranges, group...)
		end = group[len(group)-1].Off + group[len(group)-1].Len
	}
	return runs
}

type run struct {
	ranges   []driver.Range
	streamed bool
}

// rangesReader reads what several ranges hold, one after the other.
type rangesReader struct {
	ctx    context.Context // io.Reader has no other place for it
	blob   *Blob
	runs   []run // that are not begun
	run    io.ReadCloser
	failed error // what Read returned last that was not the end
}

func (r *rangesReader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if r.run == nil {
			if len(r.runs) == 0 {
				return 0, io.EOF
			}
			run, err := r.begin(r.runs[0])
			if err != nil {
				r.failed = err
				return 0, err
			}
			r.run, r.runs = run, r.runs[1:]
		}
		n, err := r.run.Read(p)
		if errors.Is(err, io.EOF) {
			_ = r.Close()
			err = nil
		}
		if err != nil {
			r.failed = err
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

func (r *rangesReader) begin(run run) (io.ReadCloser, error) {
	if run.streamed {
		all, body := extent(run.ranges), r.blob.open(r.ctx)
		body.off, body.end = all.Off, all.Off+all.Len
		return &gapReader{body, run.ranges}, nil
	}
	chunks, err := r.blob.Chunks(r.ctx, run.ranges)
	if err != nil {
		return nil, err
	}
	next, stop := iter.Pull2(chunks)
	return &chunksReader{next: next, stop: stop}, nil
}

// Close ends what is under way. It may be called again.
func (r *rangesReader) Close() error {
	if r.run == nil {
		return nil
	}
	err := r.run.Close()
	r.run = nil
	return err
}

// chunksReader reads chunks, one after the other.
type chunksReader struct {
	next  func() (Chunk, error, bool)
	stop  func()
	chunk io.Reader // nil between chunks
}

func (r *chunksReader) Read(p []byte) (int, error) {
	for {
		if r.chunk == nil {
			chunk, err, ok := r.next()
			switch {
			case !ok:
				return 0, io.EOF
			case err != nil:
				return 0, err
			}
			r.chunk = chunk
		}
		n, err := r.chunk.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		r.chunk = nil
	}
}

func (r *chunksReader) Close() error {
	r.stop()
	return nil
}

// gapReader reads ascending ranges from one stream, without what is between them.
type gapReader struct {
	*reader
	ranges []driver.Range
}

func (r *gapReader) Read(p []byte) (int, error) {
	for len(r.ranges) > 0 {
		next := r.ranges[0]
		if gap := next.Off - r.off; gap > 0 {
			if _, err := io.CopyN(io.Discard, r.reader, gap); err != nil {
				return 0, err
			}
		}
		if left := next.Off + next.Len - r.off; left > 0 {
			return r.reader.Read(p[:min(int64(len(p)), left)])
		}
		r.ranges = r.ranges[1:]
	}
	return 0, io.EOF
}
