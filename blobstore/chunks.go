package blobstore

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/blobdock/blobdock/driver"
)

const (
	// chunkRequests are under way at the same time.
	chunkRequests = 4
	// mergedMax bounds in bytes what one request fetches: chunks are merged up to it, and cut
	// where they are longer.
	mergedMax = 8 << 20
	// gapMax is the longest gap in bytes that is read rather than left out: a request for
	// what comes behind it would take longer, and cost more.
	gapMax = 16 << 10
)

// Chunk is a part of a blob. It is read before the next one is taken; what is left of it then
// is skipped.
type Chunk struct {
	driver.Range // with its length, also where that was "to the end"
	io.Reader
}

// Chunks reads parts of the blob, as clients do that pull lazily, and delivers them in order.
// Each range must begin where the one before ends, or behind it. The last one may have no
// length, which is to the blob's end. Chunks' own error is that of a bad request: Invalid, and
// OutOfRange where a range goes beyond the blob's end. The store is not asked before the chunks are.
//
// Ranges with at most 16 KiB between them are fetched by one request, longer ones by several,
// and up to four requests run at the same time. Memory holds no more than these fetch,
// 8 MiB each, for ranges of any number and length.
func (b *Blob) Chunks(ctx context.Context, ranges []driver.Range) (iter.Seq2[Chunk, error], error) {
	ranges, err := resolve(ranges, b.object.Size)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", b.digest, err)
	}
	return func(yield func(Chunk, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r := b.open(ctx)
		flights := make(chan *chunkFlight, chunkRequests-2) // the others are at its two ends
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer close(flights)
			for _, group := range merge(cut(ranges, mergedMax), mergedMax) {
				f := fly(r, group)
				select {
				case flights <- f:
				case <-ctx.Done():
					<-f.landed
					return
				}
			}
		}()
		defer func() {
			cancel()
			for f := range flights {
				<-f.landed
			}
			<-done
			_ = r.Close()
		}()
		s := &chunkStream{flights: flights, ended: func() error { return driver.NewError(driver.OpOpen, b.object.Key, ctx.Err()) }}
		for _, rg := range ranges {
			c := &chunkReader{stream: s, left: rg.Len}
			if err := c.fill(); err != nil {
				yield(Chunk{Range: rg}, err)
				return
			}
			if !yield(Chunk{rg, c}, nil) {
				return
			}
			if err := c.skip(); err != nil {
				yield(Chunk{Range: rg}, err)
				return
			}
		}
	}, nil
}

// resolve is ranges with their lengths, if they can be read of a blob of a size.
func resolve(ranges []driver.Range, size int64) ([]driver.Range, error) {
	resolved := make([]driver.Range, len(ranges))
	var end int64
	for i, r := range ranges {
		switch {
		case r.Off < 0 || r.Len < 0:
			return nil, fmt.Errorf("chunk %d is %d+%d: want an offset and a length: %w", i, r.Off, r.Len, driver.Invalid)
		case r.Len == 0 && i < len(ranges)-1:
			return nil, fmt.Errorf("chunk %d at %d has no length, which only the last one may lack: %w", i, r.Off, driver.Invalid)
		case r.Off < end:
			return nil, fmt.Errorf("chunk %d begins at %d, before the end of the one before it at %d: %w", i, r.Off, end, driver.Invalid)
		case r.Off >= size || r.Len > size-r.Off:
			return nil, fmt.Errorf("chunk %d is %d+%d, the blob has %d bytes: %w", i, r.Off, r.Len, size, driver.OutOfRange)
		case r.Len == 0:
			r.Len = size - r.Off
		}
		resolved[i] = r
		end = r.Off + r.Len
	}
	return resolved, nil
}

// cut is ranges with none longer than limit bytes.
func cut(ranges []driver.Range, limit int64) []driver.Range {
	var short []driver.Range
	for _, r := range ranges {
		for ; r.Len > limit; r = (driver.Range{Off: r.Off + limit, Len: r.Len - limit}) {
			short = append(short, driver.Range{Off: r.Off, Len: limit})
		}
		short = append(short, r)
	}
	return short
}

// merge groups ranges that ascend with hardly a gap between them, up to limit bytes.
func merge(ranges []driver.Range, limit int64) [][]driver.Range {
	var groups [][]driver.Range
	for i, r := range ranges {
		if last := len(groups) - 1; i > 0 {
			gap := r.Off - (ranges[i-1].Off + ranges[i-1].Len)
			if gap >= 0 && gap <= gapMax && r.Off+r.Len-groups[last][0].Off <= limit {
				groups[last] = append(groups[last], r)
				continue
			}
		}
		groups = append(groups, []driver.Range{r})
	}
	return groups
}

// extent is from the first byte of a group to its last.
func extent(group []driver.Range) driver.Range {
	first, last := group[0], group[len(group)-1]
	return driver.Range{Off: first.Off, Len: last.Off + last.Len - first.Off}
}

// chunkFlight is a request for a group of ranges that is under way.
type chunkFlight struct {
	group  []driver.Range
	data   []byte
	err    error
	landed chan struct{} // closed when data and err are there
}

func fly(r *reader, group []driver.Range) *chunkFlight {
	all := extent(group)
	f := &chunkFlight{group: group, data: make([]byte, all.Len), landed: make(chan struct{})}
	go func() {
		defer close(f.landed)
		_, f.err = r.ReadAt(f.data, all.Off)
	}()
	return f
}

// chunkStream is what the flights bring, in order.
type chunkStream struct {
	flights <-chan *chunkFlight
	ended   func() error // why there is no further flight
	at      *chunkFlight // that is being delivered; nil before the first
	rest    []driver.Range
	failed  error
}

// next returns the next range's bytes.
func (s *chunkStream) next() ([]byte, error) {
	if s.failed != nil {
		return nil, s.failed
	}
	if len(s.rest) == 0 {
		f, ok := <-s.flights
		if !ok {
			s.failed = s.ended()
			return nil, s.failed
		}
		if <-f.landed; f.err != nil {
			s.failed = f.err
			return nil, s.failed
		}
		s.at, s.rest = f, f.group
	}
	r := s.rest[0]
	s.rest = s.rest[1:]
	off := r.Off - s.at.group[0].Off
	return s.at.data[off : off+r.Len], nil
}

// chunkReader reads one chunk, of one or more ranges of the stream.
type chunkReader struct {
	stream *chunkStream
	data   []byte
	left   int64 // bytes behind data
}

// fill has data hold something, unless the chunk ends.
func (c *chunkReader) fill() (err error) {
	if len(c.data) > 0 || c.left == 0 {
		return nil
	}
	c.data, err = c.stream.next()
	c.left -= int64(len(c.data))
	return err
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if err := c.fill(); err != nil {
		return 0, err
	}
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data)
	c.data = c.data[n:]
	return n, nil
}

// skip goes to the chunk's end.
func (c *chunkReader) skip() error {
	for c.data = nil; c.left > 0; c.data = nil {
		if err := c.fill(); err != nil {
			return err
		}
	}
	return nil
}
