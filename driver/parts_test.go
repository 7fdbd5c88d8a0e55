package driver

import (
	"errors"
	"math/rand/v2"
	"testing"
)

var s3Parts = PartLimits{MinSize: 5 * mib, MaxSize: 5 << 30, MaxParts: 10_000, MaxObject: 50_000 << 30, MaxPut: 5 << 30}

func TestPlanKnownLength(t *testing.T) {
	for _, tt := range []struct {
		name               string
		l                  PartLimits
		first, ceil, total int64
		size               int64 // of part 1
		count              int
	}{
		{"small", s3Parts, 8 * mib, 64 * mib, 1, 8 * mib, 1},
		{"empty", s3Parts, 8 * mib, 64 * mib, 0, 8 * mib, 0},
		{"exact", s3Parts, 8 * mib, 64 * mib, 16 * mib, 8 * mib, 2},
		{"one more", s3Parts, 8 * mib, 64 * mib, 16*mib + 1, 8 * mib, 3},
		{"below the minimum", s3Parts, 1, 64 * mib, 16 * mib, 5 * mib, 4},
		{"grows to fit", s3Parts, 8 * mib, 1 << 30, 10_000*8*mib + 1, 9 * mib, 8889},
		{"wish over the ceiling", s3Parts, 1 << 30, 64 * mib, 128 * mib, 64 * mib, 2},
		{"ceiling over the store's", PartLimits{MinSize: 1, MaxSize: 10, MaxParts: 10, MaxObject: 100}, 1, 1000, 100, 10, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.l.Plan(tt.first, tt.ceil, tt.total)
			if err != nil {
				t.Fatal(err)
			}
			count, fits := p.Count(1, tt.total)
			if p.Size(1) != tt.size || count != tt.count || !fits {
				t.Errorf("parts of %d, %d of them (fits %t); want %d, %d", p.Size(1), count, fits, tt.size, tt.count)
			}
			for _, n := range []int{2, 100, tt.l.MaxParts} {
				if p.Size(n) != p.Size(1) {
					t.Errorf("part %d has %d bytes, part 1 %d", n, p.Size(n), p.Size(1))
				}
			}
		})
	}
}

func TestPlanUnknownLength(t *testing.T) {
	p, err := s3Parts.Plan(8*mib, 5<<30, -1)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int64{1: 8 * mib, 32: 8 * mib, 33: 16 * mib, 625: 16 * mib, 626: 32 * mib, 10_000: 5 << 30} {
		if got := p.Size(n); got != want {
			t.Errorf("part %d has %d bytes, want %d", n, got, want)
		}
	}
	if _, fits := p.Count(1, 5<<40); !fits {
		t.Error("5 TiB do not fit")
	}
	uniform := s3Parts
	uniform.Uniform = true
	if p, err = uniform.Plan(8*mib, 5<<30, -1); err != nil || p.Size(10_000) != 8*mib {
		t.Errorf("uniform parts grow to %d, %v", p.Size(10_000), err)
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, tt := range []struct {
		name               string
		l                  PartLimits
		first, ceil, total int64
	}{
		{"over the largest object", s3Parts, mib, 1 << 30, s3Parts.MaxObject + 1},
		{"buffers below the minimum", s3Parts, mib, 1 * mib, 10},
		{"buffers too small for the length", s3Parts, mib, 8 * mib, 10_000*8*mib + 1},
		{"no buffer", PartLimits{MaxSize: 10, MaxParts: 10, MaxObject: 100}, 1, 0, 10},
		{"a store without parts", PartLimits{}, 1, 10, -1},
	} {
		if p, err := tt.l.Plan(tt.first, tt.ceil, tt.total); !errors.Is(err, Invalid) {
			t.Errorf("%s: got %+v, %v; want Invalid", tt.name, p, err)
		}
	}
}

// checkPlan holds any plan against the limits it was made for.
func checkPlan(t *testing.T, l PartLimits, first, ceil, total int64) {
	t.Helper()
	p, err := l.Plan(first, ceil, total)
	if err != nil {
		if !errors.Is(err, Invalid) {
			t.Errorf("%+v.Plan(%d, %d, %d): %v", l, first, ceil, total, err)
		}
		return
	}
	prev := p.Size(1)
	for _, n := range []int{1, 2, l.MaxParts / 3, l.MaxParts / 2, l.MaxParts - 1, l.MaxParts} {
		if n < 1 {
			continue
		}
		size := p.Size(n)
		if size < max(l.MinSize, 1) || size > l.MaxSize || size > ceil || size < prev && n > 1 {
			t.Errorf("%+v.Plan(%d, %d, %d): part %d has %d bytes, one before it %d", l, first, ceil, total, n, size, prev)
		}
		if (l.Uniform || total >= 0) && size != p.Size(1) {
			t.Errorf("%+v.Plan(%d, %d, %d): part %d has %d bytes, part 1 %d", l, first, ceil, total, n, size, p.Size(1))
		}
		prev = size
	}
	if total < 0 {
		return
	}
	count, fits := p.Count(1, total)
	if !fits || count > l.MaxParts {
		t.Errorf("%+v.Plan(%d, %d, %d): %d parts, fits %t", l, first, ceil, total, count, fits)
	}
	var sum int64
	for n := 1; n <= count; n++ {
		if sum >= total {
			t.Errorf("%+v.Plan(%d, %d, %d): part %d of %d is empty", l, first, ceil, total, n, count)
			break
		}
		sum += min(p.Size(n), total-sum)
	}
	if sum != total {
		t.Errorf("%+v.Plan(%d, %d, %d): parts add up to %d", l, first, ceil, total, sum)
	}
}

func TestPlanProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	size := func(most int64) int64 { return r.Int64N(min(1<<r.IntN(60), most)) }
	for range 3000 {
		l := PartLimits{MinSize: size(1 << 24), MaxParts: 1 + r.IntN(20_000), MaxObject: size(1 << 45), Uniform: r.IntN(2) == 0}
		l.MaxSize = l.MinSize + size(1<<33)
		checkPlan(t, l, size(1<<33), size(1<<33), size(1<<46)-1)
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(int64(5*mib), int64(5<<30), int64(50_000<<30), int64(8*mib), int64(64*mib), int64(-1), uint16(10_000), false)
	f.Add(int64(1), int64(10), int64(100), int64(3), int64(10), int64(100), uint16(10), true)
	f.Add(int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), uint16(1), false)
	f.Fuzz(func(t *testing.T, minSize, maxSize, maxObject, first, ceil, total int64, maxParts uint16, uniform bool) {
		const most = 1 << 50 // so that sums stay in range
		if minSize < 0 || maxSize < minSize || maxSize > most || maxObject < 0 || maxObject > most || maxParts == 0 {
			return
		}
		l := PartLimits{MinSize: minSize, MaxSize: maxSize, MaxParts: int(maxParts), MaxObject: maxObject, Uniform: uniform}
		checkPlan(t, l, first, ceil, total)
	})
}

func TestCount(t *testing.T) {
	p := Plan{first: 10, ceil: 10, maxParts: 100}
	for _, tt := range []struct {
		n     int
		size  int64
		count int
		fits  bool
	}{
		{1, 0, 0, true}, {1, 1, 1, true}, {1, 10, 1, true}, {1, 11, 2, true},
		{1, 1000, 100, true}, {1, 1001, 100, false}, {100, 10, 1, true}, {100, 11, 1, false}, {101, 1, 0, false}, {101, 0, 0, true},
	} {
		if count, fits := p.Count(tt.n, tt.size); count != tt.count || fits != tt.fits {
			t.Errorf("Count(%d, %d) = %d, %t; want %d, %t", tt.n, tt.size, count, fits, tt.count, tt.fits)
		}
	}
}

func TestCheckComplete(t *testing.T) {
	l := PartLimits{MinSize: 5, MaxSize: 20, MaxParts: 9, MaxObject: 40}
	parts := func(sizes ...int64) (all []Part) {
		for i, s := range sizes {
			all = append(all, Part{Number: i + 1, Size: s})
		}
		return all
	}
	uniform := l
	uniform.Uniform = true
	for _, tt := range []struct {
		name  string
		l     PartLimits
		parts []Part
		ok    bool
	}{
		{"one", l, parts(5), true},
		{"a short last one", l, parts(5, 20, 1), true},
		{"a gap", l, []Part{{Number: 1, Size: 5}, {Number: 3, Size: 5}}, false},
		{"not from 1", l, []Part{{Number: 2, Size: 5}}, false},
		{"as many as there may be", l, parts(5, 5, 5, 5, 5, 5, 5, 5), true},
		{"none", l, nil, false},
		{"short before the last", l, parts(4, 5), false},
		{"large", l, parts(21), false},
		{"order", l, []Part{{Number: 2, Size: 5}, {Number: 1, Size: 5}}, false},
		{"twice", l, []Part{{Number: 1, Size: 5}, {Number: 1, Size: 5}}, false},
		{"number 0", l, []Part{{Number: 0, Size: 5}}, false},
		{"more than there may be", l, parts(4, 4, 4, 4, 4, 4, 4, 4, 4, 4), false},
		{"object too large", l, parts(20, 20, 1), false},
		{"uniform", uniform, parts(7, 7, 3), true},
		{"uniform, differing", uniform, parts(7, 8, 3), false},
		{"uniform, larger last", uniform, parts(7, 7, 8), false},
	} {
		if err := tt.l.CheckComplete(tt.parts); (err == nil) != tt.ok || err != nil && !errors.Is(err, Invalid) {
			t.Errorf("%s: %v, want ok %t", tt.name, err, tt.ok)
		}
	}
}
