package main

import (
	"slices"
	"time"
)

// median is the middle one, or what lies between the two in the middle; 0 of none.
func median[N int64 | time.Duration](ns []N) N {
	if len(ns) == 0 {
		return 0
	}
	ns = slices.Sorted(slices.Values(ns))
	mid := len(ns) / 2
	if len(ns)%2 == 1 {
		return ns[mid]
	}
	return ns[mid-1] + (ns[mid]-ns[mid-1])/2
}
