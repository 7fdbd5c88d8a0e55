package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
)

// streamPart is the size of parts that Concat sends itself when the plan has none.
const streamPart = 8 * mib

// ConcatConds are the conditions that Concat honours.
func (f Features) ConcatConds() CondSet {
	switch {
	case f.Concat != nil:
		return f.Conds.Concat
	case f.Uploads != nil:
		return f.Conds.Complete
	default:
		return f.Conds.Put
	}
}

// Concat makes an object of whole existing objects, on every store and atomically:
// by Features.Concat, by one copy of a single source, or by an upload whose parts
// the store copies. Bytes go through this process only where the store leaves no
// choice: sources that are too small or too unequal to be parts, and stores without
// part copies. A store that has neither Features.Concat nor Features.Uploads joins as
// many bytes as one part of the plan has. Sources may be deleted only by
// Features.Concat.
//
// Refusals come before any write: Invalid for an object that is too large,
// Unsupported for a condition that is not in Features.ConcatConds and for more bytes
// than a store without uploads joins. An upload that
// fails is aborted, unless the outcome of its completion is unknown.
func Concat(ctx context.Context, b Bucket, r ConcatRequest, p CopyPlan) (Object, error) {
	f := b.Features()
	err := r.Check(f.Parts)
	if err == nil && !f.ConcatConds().Allows(r.Options.Cond) {
		err = fmt.Errorf("%s can't join objects under this condition: %w", f.Name, Unsupported)
	}
	if err != nil {
		return Object{}, NewError(OpConcat, r.Key, err)
	}
	r.Options.SHA256 = nil
	if f.Concat != nil && len(r.Sources) > 0 {
		return f.Concat(ctx, r)
	}
	c := &concatenation{b: b, f: f, r: r, p: p}
	return c.run(ctx)
}

// concatenation is Concat on a store that does not offer it.
type concatenation struct {
	b Bucket
	f Features
	r ConcatRequest
	p CopyPlan
}

func (c *concatenation) run(ctx context.Context) (Object, error) {
	sources, err := c.sources(ctx)
	if err != nil {
		return Object{}, err
	}
	switch {
	case len(sources) == 0:
		return c.b.Put(ctx, c.r.Key, section(nil), c.r.Options)
	case len(sources) == 1 && c.f.copies(sources[0].Key, sources[0].Size, c.r):
		src := sources[0]
		src.Range = Range{}
		obj, err := c.f.Copy(ctx, CopyRequest{Src: src, Dst: c.r.Key, Options: c.r.Options})
		if err == nil && obj.Size < 0 {
			obj.Size = src.Size
		}
		return obj, err
	}
	parts, err := c.layout(sources)
	if err != nil {
		return Object{}, NewError(OpConcat, c.r.Key, err)
	}
	if len(parts) == 1 && !c.copyable(parts[0]) && sizeOf(parts[0]) <= c.f.Parts.MaxPut && c.f.Conds.Put.Allows(c.r.Options.Cond) {
		return stream(ctx, c, parts[0], func(body *io.SectionReader) (Object, error) {
			return c.b.Put(ctx, c.r.Key, body, c.r.Options)
		})
	}
	if c.f.Uploads == nil {
		return Object{}, NewError(OpConcat, c.r.Key, fmt.Errorf("%s has no multipart uploads and joins no objects, %d bytes don't fit in one part: %w", c.f.Name, sizeOf(sources), Unsupported))
	}
	from := make([]partSource, len(parts))
	for i, segments := range parts {
		if c.copyable(segments) {
			from[i] = copied(c.f, segments[0])
			continue
		}
		from[i] = func(ctx context.Context, u Upload, n int) (Part, error) {
			return stream(ctx, c, segments, func(body *io.SectionReader) (Part, error) { return c.f.Uploads.PutPart(ctx, u, n, body) })
		}
	}
	return assemble(ctx, c.b, c.r.Key, from, c.r.Options, c.p.Concurrency)
}

// sources are those that have bytes. The others are no parts, but must be there.
func (c *concatenation) sources(ctx context.Context) ([]Source, error) {
	var with []Source
	for _, s := range c.r.Sources {
		switch {
		case s.Version != "" && s.ETag == "":
			return nil, NewError(OpConcat, c.r.Key, fmt.Errorf("source %q has a version and no ETag, %s can pin it only by the latter: %w", s.Key, c.f.Name, Unsupported))
		case s.Size > 0:
			with = append(with, Source{Key: s.Key, ETag: s.ETag, Size: s.Size, Range: Range{Len: s.Size}})
		}
	}
	for _, s := range c.r.Sources {
		if s.Size > 0 {
			continue
		}
		got, err := c.b.Stat(ctx, s.Key)
		if err != nil {
			return nil, err
		}
		if got.Size != 0 || s.ETag != "" && got.ETag != s.ETag {
			return nil, c.changed(s.Key)
		}
	}
	return with, nil
}

func (c *concatenation) changed(key string) error {
	return NewError(OpConcat, c.r.Key, fmt.Errorf("source %q changed: %w", key, Mismatch))
}

// JoinsByCopy reports whether Concat of r, whose sources have bytes, is one copy. Amazon S3
// copies no object to itself unless something changes by it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (f Features) JoinsByCopy(r ConcatRequest) bool {
	return len(r.Sources) == 1 && f.copies(r.Sources[0].Key, r.Sources[0].Size, r)
}

// copies reports whether the store copies a source that is all of r at once.
func (f Features) copies(key string, size int64, r ConcatRequest) bool {
	return f.Copy != nil && key != r.Key && (f.CopyMax == 0 || size <= f.CopyMax) && f.Conds.Copy.Allows(r.Options.Cond)
}

// copyable reports whether the store can copy the part. Amazon S3 copies no range
// of a source that would itself be too small for a part.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
func (c *concatenation) copyable(segments []Source) bool {
	return c.f.CopyPart != nil && len(segments) == 1 && (segments[0].Whole() || segments[0].Size > c.f.Parts.MinSize)
}

// layout divides the sources into parts. A part of several segments is sent by this
// process.
func (c *concatenation) layout(sources []Source) ([][]Source, error) {
	l := c.f.Parts
	total := sizeOf(sources)
	if c.f.CopyPart == nil {
		plan, err := l.Plan(cmp.Or(c.p.PartSize, streamPart), l.MaxSize, total)
		if err != nil {
			return nil, err
		}
		return cut(sources, plan.Size(1)), nil
	}
	unit := min(max(cmp.Or(c.p.PartSize, l.MaxSize), l.MinSize, 1), l.MaxSize)
	if l.Uniform {
		return c.uniform(sources, total, unit)
	}
	// Fewer parts by larger copies cost nothing, by larger streamed parts they cost
	// traffic and memory.
	for least := max(l.MinSize, 1); least <= l.MaxSize; {
		parts := join(sources, least, unit, l.MaxSize)
		switch {
		case len(parts) <= l.MaxParts:
			return parts, nil
		case unit < l.MaxSize:
			unit = min(2*unit, l.MaxSize)
		default:
			least *= 2
		}
	}
	return nil, fmt.Errorf("%d bytes in %d sources: the store takes %d parts: %w", total, len(sources), l.MaxParts, Invalid)
}

// uniform cuts parts of one size: the size of the first source or unit, whichever
// leaves fewer bytes to send.
func (c *concatenation) uniform(sources []Source, total, unit int64) (best [][]Source, err error) {
	l := c.f.Parts
	least := max(l.MinSize, ceilDiv(total, int64(l.MaxParts)))
	if least > l.MaxSize {
		return nil, fmt.Errorf("%d bytes need parts of %d, at most %d are allowed: %w", total, least, l.MaxSize, Invalid)
	}
	fewest := int64(-1)
	for _, size := range []int64{unit, sources[0].Size} {
		parts := cut(sources, min(max(size, least), l.MaxSize))
		var sent int64
		for _, segments := range parts {
			if !c.copyable(segments) {
				sent += sizeOf(segments)
			}
		}
		if fewest < 0 || sent < fewest {
			best, fewest = parts, sent
		}
	}
	return best, nil
}

// cut cuts the bytes of the sources into parts of one size; the last may be shorter.
func cut(sources []Source, size int64) (parts [][]Source) {
	var open []Source
	left := size
	for _, s := range sources {
		for off := int64(0); off < s.Size; {
			n := min(left, s.Size-off)
			open = append(open, s.cut(off, n))
			off += n
			if left -= n; left == 0 {
				parts, open, left = append(parts, open), nil, size
			}
		}
	}
	if len(open) > 0 {
		parts = append(parts, open)
	}
	return parts
}

// join makes parts of at least least bytes, the last excepted. A source that is too
// small is joined with the beginning of the next, or all of it where the remainder
// would be too small. Larger sources than unit are split.
func join(sources []Source, least, unit, most int64) (parts [][]Source) {
	var open []Source // too small for a part so far
	var have int64
	for i, s := range sources {
		last := i == len(sources)-1
		var off int64
		if have > 0 {
			off = least - have
			if s.Size-off < least {
				off = s.Size
			}
			off = min(off, most-have)
			open, have = append(open, s.cut(0, off)), have+off
			if have >= least {
				parts, open, have = append(parts, open), nil, 0
			}
		}
		switch rest := s.Size - off; {
		case rest == 0:
		case rest < least && !last:
			open, have = []Source{s.cut(off, rest)}, rest
		default:
			parts = append(parts, s.split(off, rest, least, unit)...)
		}
	}
	if have > 0 {
		parts = append(parts, open)
	}
	return parts
}

// cut is n bytes of s.
func (s Source) cut(off, n int64) Source {
	s.Range = Range{Off: off, Len: n}
	return s
}

// split makes parts of n bytes of s, nearly equal, of about unit bytes each and at
// least least where n is.
func (s Source) split(off, n, least, unit int64) (parts [][]Source) {
	count := max(min(ceilDiv(n, unit), n/least), 1)
	for i := range count {
		size := n / count
		if i < n%count {
			size++
		}
		parts = append(parts, []Source{s.cut(off, size)})
		off += size
	}
	return parts
}

func sizeOf(segments []Source) (total int64) {
	for _, s := range segments {
		total += s.Range.Len
	}
	return total
}

// stream reads segments into memory and hands them to send.
func stream[T any](ctx context.Context, c *concatenation, segments []Source, send func(*io.SectionReader) (T, error)) (none T, err error) {
	size := sizeOf(segments)
	borrow := c.p.Buffer
	if borrow == nil {
		borrow = func(_ context.Context, n int64) ([]byte, func(), error) { return make([]byte, n), func() {}, nil }
	}
	buf, release, err := borrow(ctx, size)
	if err != nil {
		return none, NewError(OpConcat, c.r.Key, fmt.Errorf("buffer of %d bytes: %w", size, err))
	}
	defer release()
	buf = buf[:size]
	var at int64
	for _, s := range segments {
		if err := c.read(ctx, s, buf[at:at+s.Range.Len]); err != nil {
			return none, err
		}
		at += s.Range.Len
	}
	return send(section(buf))
}

// read fills buf with the bytes of s.
func (c *concatenation) read(ctx context.Context, s Source, buf []byte) error {
	rd, err := c.b.Open(ctx, s.Key, s.Range, ReadOptions{IfMatch: s.ETag})
	if errors.Is(err, OutOfRange) {
		return c.changed(s.Key) // it is shorter
	}
	if err != nil {
		return err
	}
	defer func() { _ = rd.Close() }()
	if rd.Object.Size != s.Size {
		return c.changed(s.Key)
	}
	if _, err := io.ReadFull(rd, buf); err != nil {
		return NewError(OpConcat, c.r.Key, fmt.Errorf("source %q: %w", s.Key, err))
	}
	return nil
}

// section is a body of bytes in memory.
func section(p []byte) *io.SectionReader { return io.NewSectionReader(inMemory(p), 0, int64(len(p))) }

// inMemory implements io.ReaderAt and Memory.
type inMemory []byte

func (m inMemory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m inMemory) Bytes(off, n int64) []byte {
	if off >= int64(len(m)) {
		return nil
	}
	return m[off:min(off+n, int64(len(m)))]
}
