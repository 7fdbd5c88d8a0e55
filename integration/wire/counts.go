package wire

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Counts is what went over the wire.
type Counts struct {
	Ops      map[string]int // requests by operation, under the store's own names
	Sent     int64          // bytes of request bodies
	Received int64          // bytes of response bodies
	Copied   int64          // bytes that the store was asked to copy
}

// Tombstones is what each process lists once a minute while there are pushes, by whatever operation.
const Tombstones = "list of tombstones"

// Requests is the number of all requests.
func (c Counts) Requests() int {
	n := 0
	for _, v := range c.Ops {
		n += v
	}
	return n
}

// String lists the operations, the most frequent first:
//
//	7 requests (PutObject 4, GetObject 2, DeleteObject 1)
func (c Counts) String() string {
	ops := slices.SortedFunc(maps.Keys(c.Ops), func(a, b string) int {
		return cmp.Or(c.Ops[b]-c.Ops[a], strings.Compare(a, b))
	})
	for i, op := range ops {
		ops[i] = fmt.Sprintf("%s %d", op, c.Ops[op])
	}
	return fmt.Sprintf("%d requests (%s)", c.Requests(), strings.Join(ops, ", "))
}

func (c Counts) clone() Counts {
	c.Ops = maps.Clone(c.Ops)
	return c
}
