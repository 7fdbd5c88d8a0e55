package main

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		of   []int64
		want int64
	}{
		{nil, 0},
		{[]int64{7}, 7},
		{[]int64{9, 1}, 5},
		{[]int64{9, 1, 2}, 2},
		{[]int64{100, 3, 1, 2}, 2},
		{[]int64{1 << 62, 1<<62 + 2}, 1<<62 + 1}, // their sum has no room
	} {
		before := append([]int64(nil), tc.of...)
		if got := median(tc.of); got != tc.want {
			t.Errorf("median of %v is %d, want %d", before, got, tc.want)
		}
		for i := range before {
			if tc.of[i] != before[i] {
				t.Errorf("%v is in another order afterwards: %v", before, tc.of)
			}
		}
	}
}

// TestMedianOfEach takes each number's median by itself.
func TestMedianOfEach(t *testing.T) {
	r := Run{Samples: []Sample{
		{Wall: time.Second, CPU: 9, Peak: 30, Growth: 1},
		{Wall: time.Minute, CPU: 1, Peak: 20, Growth: 5},
		{Wall: time.Hour, CPU: 5, Peak: 10, Growth: 3},
	}}
	if got, want := r.Median(), (Sample{time.Minute, 5, 20, 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
