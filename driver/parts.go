package driver

import "fmt"

const mib = 1 << 20

// PartLimits are a store's documented limits on objects and their parts, in bytes.
// Where the store has no uploads, parts are the objects that Concat joins.
type PartLimits struct {
	MinSize   int64 // of every part but the last
	MaxSize   int64 // of a part
	MaxParts  int   // of an object
	MaxObject int64 // of a completed object
	MaxPut    int64 // of a single Put
	Uniform   bool  // all parts but the last must have the same size (R2)
}

// growSteps is how often parts double on the way to MaxParts when the length is
// unknown: small blobs want small buffers, and 16 doublings reach any store's
// maximum object long before the numbers run out.
const growSteps = 16

// early is after how many parts of an unknown length the size doubles for the first time: a
// blob that has come so far is a large one, which larger parts cost fewer requests.
const early = 32

// Plan gives the size of each part of one upload.
type Plan struct {
	first, ceil int64
	every       int // parts between doublings; 0 never doubles
	maxParts    int
}

// Plan chooses part sizes. first is the wished size of the first part, ceil the
// largest that the caller can buffer, and total the length of the object, or -1
// when that is unknown. Known lengths get equal parts, large enough that
// MaxParts suffice; unknown ones begin with first and double after 32 parts and every 1/16 of
// MaxParts, unless l.Uniform.
//
// Invalid when total can't be stored under l and ceil, or l admits no part of
// at most ceil bytes.
func (l PartLimits) Plan(first, ceil, total int64) (Plan, error) {
	ceil = min(ceil, l.MaxSize)
	if ceil < l.MinSize || ceil <= 0 {
		return Plan{}, fmt.Errorf("part size: the store wants parts of at least %d bytes, at most %d can be buffered: %w", l.MinSize, ceil, Invalid)
	}
	p := Plan{first: min(max(first, l.MinSize, 1), ceil), ceil: ceil, maxParts: l.MaxParts}
	if err := l.Fits(total); err != nil {
		return Plan{}, err
	}
	switch {
	case total >= 0:
		need := ceilDiv(total, int64(l.MaxParts))
		if need > p.first {
			p.first = min(ceilDiv(need, mib)*mib, ceil)
		}
		if p.first < need {
			return Plan{}, fmt.Errorf("an object of %d bytes needs parts of %d, at most %d can be buffered: %w", total, need, ceil, Invalid)
		}
	case !l.Uniform:
		p.every = max(l.MaxParts/growSteps, 1)
	}
	return p, nil
}

// Fits is Invalid when objects of total bytes are more than the store takes.
func (l PartLimits) Fits(total int64) error {
	if total > l.MaxObject {
		return fmt.Errorf("an object of %d bytes: the store takes at most %d: %w", total, l.MaxObject, Invalid)
	}
	return nil
}

// Size is how many bytes part n (from 1) is to have, when it is not the last.
func (p Plan) Size(n int) int64 {
	size := p.first
	if p.every == 0 {
		return size
	}
	if n > early {
		size *= 2
	}
	for i := p.every; i < n && size < p.ceil; i += p.every {
		size *= 2
	}
	return min(size, p.ceil)
}

// Count is how many parts from number n on it takes to hold size bytes, and
// whether they end within the store's highest number.
func (p Plan) Count(n int, size int64) (count int, fits bool) {
	for size > 0 && n+count <= p.maxParts {
		size -= p.Size(n + count)
		count++
	}
	return count, size <= 0
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
