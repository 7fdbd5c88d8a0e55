package driver

import (
	"errors"
	"math"
	"testing"
)

func TestRangeResolve(t *testing.T) {
	for _, tt := range []struct {
		r    Range
		size int64
		want Range
		kind error
	}{
		{Range{}, 0, Range{}, nil},
		{Range{}, 10, Range{0, 10}, nil},
		{Range{3, 0}, 10, Range{3, 7}, nil},
		{Range{3, 4}, 10, Range{3, 4}, nil},
		{Range{3, 7}, 10, Range{3, 7}, nil},
		{Range{3, 8}, 10, Range{3, 7}, nil},
		{Range{3, math.MaxInt64}, 10, Range{3, 7}, nil},
		{Range{10, 0}, 10, Range{10, 0}, nil},
		{Range{10, 5}, 10, Range{10, 0}, nil},
		{Range{11, 0}, 10, Range{}, OutOfRange},
		{Range{1, 0}, 0, Range{}, OutOfRange},
		{Range{math.MaxInt64, math.MaxInt64}, 10, Range{}, OutOfRange},
		{Range{-1, 0}, 10, Range{}, Invalid},
		{Range{0, -1}, 10, Range{}, Invalid},
		{Range{math.MinInt64, 0}, 10, Range{}, Invalid},
	} {
		got, err := tt.r.Resolve(tt.size)
		if got != tt.want || !errors.Is(err, tt.kind) {
			t.Errorf("%+v of %d: got %+v, %v; want %+v, %v", tt.r, tt.size, got, err, tt.want, tt.kind)
		}
	}
}

func FuzzRangeResolve(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0))
	f.Add(int64(3), int64(4), int64(10))
	f.Add(int64(11), int64(0), int64(10))
	f.Add(int64(-1), int64(math.MaxInt64), int64(10))
	f.Fuzz(func(t *testing.T, off, length, size int64) {
		if size < 0 {
			return
		}
		r := Range{off, length}
		got, err := r.Resolve(size)
		switch {
		case off < 0 || length < 0:
			if !errors.Is(err, Invalid) {
				t.Errorf("%+v of %d: %v", r, size, err)
			}
		case off > size:
			if !errors.Is(err, OutOfRange) {
				t.Errorf("%+v of %d: %v", r, size, err)
			}
		case err != nil || got.Off != off || got.Len < 0 || got.Off+got.Len > size || got.Off+got.Len < got.Off:
			t.Errorf("%+v of %d: %+v, %v", r, size, got, err)
		case length > 0 && got.Len > length, length == 0 && got.Len != size-off, got.Len < length && got.Off+got.Len != size:
			t.Errorf("%+v of %d: %+v", r, size, got)
		default:
			if again, err := got.Resolve(size); got.Len > 0 && (again != got || err != nil) {
				t.Errorf("%+v resolves to %+v and then to %+v, %v", r, got, again, err)
			}
		}
	})
}
