package blobstore

import (
	"context"
	"fmt"
	"iter"

	"github.com/blobdock/blobdock/driver"
)

const (
	// chunkRequests are under way at the same time.
	chunkRequests = 4
	// mergedMax bounds in bytes what chunks are merged to.
	mergedMax = 8 << 20
	// gapMax is the longest gap in bytes that is read rather than left out: a request for
	// what comes behind it would take longer, and cost more.
	gapMax = 16 << 10
)

// Chunk is a part of a blob.
type Chunk struct {
	driver.Range
	Data []byte
}

// Chunks reads parts of the blob, as clients do that pull lazily, and delivers
// them in order. Each range needs its length, and must begin where the one before
// ends, or behind it; else the only thing delivered is an Invalid error, and
// OutOfRange when the last one goes beyond the blob's end.
//
// Ranges with at most 16 KiB between them are fetched by one request, and up to four
// requests run at the same time. Memory holds no more than these have
// fetched, for any number of ranges.
func (b *Blob) Chunks(ctx context.Context, ranges []driver.Range) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		if err := checkRanges(ranges, b.object.Size); err != nil {
			yield(Chunk{}, fmt.Errorf("blob %s: %w", b.digest, err))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		r := b.open(ctx)
		flights := make(chan *chunkFlight, chunkRequests-2) // the others are at its two ends
		done := make(chan struct{})
		groups := merge(ranges, mergedMax)
		go func() {
			defer close(done)
			defer close(flights)
			for _, group := range groups {
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
		delivered := 0
		for f := range flights {
			if !f.deliver(yield) {
				return
			}
			delivered++
		}
		if delivered < len(groups) {
			yield(Chunk{}, driver.NewError(driver.OpOpen, b.object.Key, ctx.Err()))
		}
	}
}

func checkRanges(ranges []driver.Range, size int64) error {
	var end int64
	for i, r := range ranges {
		switch {
		case r.Off < 0 || r.Len < 1:
			return fmt.Errorf("chunk %d is %d+%d: want an offset and a length: %w", i, r.Off, r.Len, driver.Invalid)
		case r.Off < end:
			return fmt.Errorf("chunk %d begins at %d, before the end of the one before it at %d: %w", i, r.Off, end, driver.Invalid)
		case r.Len > size-r.Off:
			return fmt.Errorf("chunk %d is %d+%d, the blob has %d bytes: %w", i, r.Off, r.Len, size, driver.OutOfRange)
		}
		end = r.Off + r.Len
	}
	return nil
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

func (f *chunkFlight) deliver(yield func(Chunk, error) bool) bool {
	<-f.landed
	if f.err != nil {
		yield(Chunk{Range: f.group[0]}, f.err)
		return false
	}
	for _, r := range f.group {
		off := r.Off - f.group[0].Off
		if !yield(Chunk{r, f.data[off : off+r.Len : off+r.Len]}, nil) {
			return false
		}
	}
	return true
}
