package main

import (
	"fmt"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// column is one of the table's: a number of a row, and how it is written.
type column struct {
	head  string
	value func(*Row) (float64, bool) // false where the row has none
	text  func(float64) string
}

// columns of a report: times at each latency, all else without one, or at the
// first there is.
func (r Report) columns() []column {
	count := func(head string, field func(*Counts) int64, text func(float64) string) column {
		return column{head, func(row *Row) (float64, bool) {
			if row.NotRun != "" || row.Counts == nil {
				return 0, false
			}
			return float64(field(row.Counts)), true
		}, text}
	}
	sampled := func(head string, latency time.Duration, field func(Sample) float64, text func(float64) string) column {
		return column{head, func(row *Row) (float64, bool) {
			s, ok := row.at(latency)
			return field(s), ok
		}, text}
	}
	cols := []column{
		count("requests", func(c *Counts) int64 { return int64(c.Requests) }, func(v float64) string { return fmt.Sprintf("%.0f", v) }),
		count("up", func(c *Counts) int64 { return c.Up }, formatBytes),
		count("down", func(c *Counts) int64 { return c.Down }, formatBytes),
		count("copied", func(c *Counts) int64 { return c.Copied }, formatBytes),
	}
	for _, latency := range r.Latencies {
		cols = append(cols, sampled("time +"+formatLatency(latency), latency, func(s Sample) float64 { return float64(s.Wall) }, formatTime))
	}
	return append(cols,
		sampled("CPU", r.Latencies[0], func(s Sample) float64 { return float64(s.CPU) }, formatTime),
		sampled("peak RSS", r.Latencies[0], func(s Sample) float64 { return float64(s.Peak) }, formatBytes),
	)
}

// ratio is ours by stock's; false where either is missing, or stock's is nothing.
func (c column) ratio(ours, theirs *Row) (float64, bool) {
	if ours == nil || theirs == nil {
		return 0, false
	}
	a, ok := c.value(ours)
	b, too := c.value(theirs)
	if !ok || !too || b == 0 {
		return 0, false
	}
	return a / b, true
}

// cell is a row's value as text; "-" where it has none.
func (c column) cell(row *Row) string {
	v, ok := c.value(row)
	if !ok {
		return "-"
	}
	return c.text(v)
}

func formatLatency(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return d.String()
}

// formatTime has three digits or so, which is more than a second run confirms.
func formatTime(v float64) string {
	d := time.Duration(v)
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	default:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
}

func formatBytes(v float64) string {
	switch n := int64(v); {
	case n == 0:
		return "0"
	case n >= 10*mib:
		return fmt.Sprintf("%.0f MiB", v/float64(mib))
	case n >= mib:
		return fmt.Sprintf("%.1f MiB", v/float64(mib))
	case n >= kib:
		return fmt.Sprintf("%.0f KiB", v/float64(kib))
	default:
		return driver.FormatBytes(n)
	}
}

func formatRatio(v float64) string { return fmt.Sprintf("%.2f", v) }

// pair is what is shown together: both registries, or a limit alone.
type pair struct {
	head         *Row // that of the pair which names store and scenario
	stock, ours  *Row
	reached      *Row // of a limit
	firstOfStore bool
}

// pairs are the rows by scenario, in order.
func (r Report) pairs() []pair {
	var pairs []pair
	for i, row := range r.Rows {
		if row.Registry == blobdock {
			continue // comes with stock's
		}
		p := pair{head: row, firstOfStore: i == 0 || r.Rows[i-1].Store != row.Store}
		if row.Registry == limit {
			p.reached = row
		} else {
			p.stock, p.ours = row, r.row(row.Store, row.Scenario, blobdock)
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// rows are those that p has.
func (p pair) rows() []*Row {
	if p.reached != nil {
		return []*Row{p.reached}
	}
	return []*Row{p.stock, p.ours}
}

// summary is where a report comes from.
func (r Report) summary() string {
	sha := "without SHA instructions"
	if r.Machine.SHA {
		sha = "with SHA instructions"
	}
	return fmt.Sprintf("blobdock %s and distribution %s on %s, %d cores %s (%s, %s, load %s), %s; medians of %d",
		r.Blobdock, r.Stock, r.Machine.CPU, r.Machine.Cores, sha, r.Machine.System, r.Machine.Go, r.Machine.Load,
		r.Machine.Time.Format("2006-01-02 15:04 UTC"), r.Rounds)
}
