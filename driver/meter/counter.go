package meter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// Counter adds up events. Its zero value is ready, and may be used by many
// goroutines. Give its Observe to Wrap:
//
//	var calls meter.Counter
//	b = meter.Wrap(b, calls.Observe)
type Counter struct {
	mu   sync.Mutex
	rows map[Row]Sums
}

// Row says what a line of a Counter is about.
type Row struct {
	Op      driver.Op
	Outcome string
}

// Sums are what a Counter keeps of each row.
type Sums struct {
	Calls          int64
	Sent, Received int64
	Duration       time.Duration
}

// Observe adds an event.
func (c *Counter) Observe(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		c.rows = make(map[Row]Sums)
	}
	row := Row{e.Op, e.Outcome()}
	s := c.rows[row]
	s.add(Sums{1, e.Sent, e.Received, e.Duration})
	c.rows[row] = s
}

func (s *Sums) add(o Sums) {
	s.Calls += o.Calls
	s.Sent += o.Sent
	s.Received += o.Received
	s.Duration += o.Duration
}

// Snapshot is a copy of all rows.
func (c *Counter) Snapshot() map[Row]Sums {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.rows)
}

// Reset begins anew, and returns what there was.
func (c *Counter) Reset() map[Row]Sums {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := c.rows
	c.rows = nil
	return rows
}

// Total adds up all rows.
func (c *Counter) Total() Sums {
	var total Sums
	for _, s := range c.Snapshot() {
		total.add(s)
	}
	return total
}

// Calls is the number of calls of the verb op, however they ended.
func (c *Counter) Calls(op driver.Op) int64 {
	var n int64
	for row, s := range c.Snapshot() {
		if row.Op == op {
			n += s.Calls
		}
	}
	return n
}

// String has one line per verb and outcome, in order, with the number of calls:
// a table that stays the same from run to run.
//
//	put 3
//	stat 1
//	stat (not found) 2
func (c *Counter) String() string {
	rows := c.Snapshot()
	order := slices.SortedFunc(maps.Keys(rows), func(x, y Row) int {
		return cmp.Or(cmp.Compare(x.Op, y.Op), cmp.Compare(x.mark(), y.mark()))
	})
	var text strings.Builder
	for _, row := range order {
		fmt.Fprintf(&text, "%s%s %d\n", row.Op, row.mark(), rows[row].Calls)
	}
	return text.String()
}

func (r Row) mark() string {
	if r.Outcome == "ok" {
		return ""
	}
	return " (" + r.Outcome + ")"
}
