package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// target is something that blobdock promises.
type target struct {
	what  string
	most  float64 // what the ratio may be at most
	least float64 // or at least, where most is 0
	// ratio is what was measured; false where something that it takes was not.
	ratio func(Report) (float64, bool)
	bytes bool // the numbers are no ratio, but bytes
}

// far is the latency at which small things are judged.
const far = 20 * time.Millisecond

// targets are for S3, where all of them can be measured.
var targets = []target{
	{what: "push-mono takes at most 1.25 of what limit-upload takes", most: 1.25, ratio: wall("push-mono", blobdock, "limit-upload", limit, 0)},
	{what: "push-mono takes at most half of stock's time", most: 0.5, ratio: byStock("push-mono", 0)},
	{what: "push-chunked takes at most a tenth of stock's time", most: 0.1, ratio: byStock("push-chunked", 0)},
	ahead("push-stream"), ahead("push-mono"), ahead("push-again"), ahead("push-chunked"),
	ahead("push-stream-64KiB"), ahead("push-mono-64KiB"), ahead("push-small"), ahead("image-push"),
	{what: "push-stream-64KiB at +20ms takes at most 0.35 of stock's time", most: 0.35, ratio: byStock("push-stream-64KiB", far)},
	{what: "push-mono-64KiB at +20ms takes at most 0.35 of stock's time", most: 0.35, ratio: byStock("push-mono-64KiB", far)},
	{what: "image-push at +20ms takes at most half of stock's time", most: 0.5, ratio: byStock("image-push", far)},
	{what: "push-small at +20ms takes at most 0.35 of stock's time", most: 0.35, ratio: byStock("push-small", far)},
	{what: "pull-stream has at least 0.9 of limit-copy's throughput", least: 0.9, ratio: wall("limit-copy", limit, "pull-stream", blobdock, 0)},
	{what: "pull-stream grows by less than 64 MiB", most: float64(64*mib - 1), bytes: true, ratio: func(r Report) (float64, bool) {
		s, ok := r.row("s3", "pull-stream", blobdock).at(0)
		return float64(s.Growth), ok
	}},
	{what: "push-mono takes at most 1.3 of limit-upload's CPU time", most: 1.3, ratio: func(r Report) (float64, bool) {
		ours, ok := r.row("s3", "push-mono", blobdock).at(0)
		limit, too := r.row("s3", "limit-upload", limit).at(0)
		if !ok || !too || limit.CPU == 0 {
			return 0, false
		}
		return float64(ours.CPU) / float64(limit.CPU), true
	}},
}

func ahead(scenario string) target {
	return target{what: scenario + " is ahead of stock", most: 0.999, ratio: byStock(scenario, 0)}
}

func byStock(scenario string, latency time.Duration) func(Report) (float64, bool) {
	return wall(scenario, blobdock, scenario, stock, latency)
}

// wall divides one median time by another.
func wall(scenario string, by registry, other string, otherBy registry, latency time.Duration) func(Report) (float64, bool) {
	return func(r Report) (float64, bool) {
		a, ok := r.row("s3", scenario, by).at(latency)
		b, too := r.row("s3", other, otherBy).at(latency)
		if !ok || !too || b.Wall == 0 {
			return 0, false
		}
		return float64(a.Wall) / float64(b.Wall), true
	}
}

// met tells whether a measured number is as promised.
func (t target) met(v float64) bool {
	if t.most > 0 {
		return v <= t.most
	}
	return v >= t.least
}

// line is the target's own of the checklist.
func (t target) line(r Report) (text string, missed bool) {
	v, ok := t.ratio(r)
	if !ok {
		return "[ ]  " + t.what + ": not measured", false
	}
	measured := formatRatio(v)
	if t.bytes {
		measured = formatBytes(v)
	}
	if t.met(v) {
		return "[x]  " + t.what + ": " + measured, false
	}
	return "[!]  " + t.what + ": " + measured + ", missed", true
}

// check writes the checklist, and fails when a target is missed.
func (r Report) check(w io.Writer) error {
	var lines []string
	missed := 0
	for _, t := range targets {
		text, miss := t.line(r)
		lines = append(lines, text)
		if miss {
			missed++
		}
	}
	if r.Size < gib || r.Rounds < 5 {
		lines = append(lines, fmt.Sprintf("     The promises are for 1 GiB and medians of 5; this was %s and %d.", formatBytes(float64(r.Size)), r.Rounds))
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", strings.Join(lines, "\n")); err != nil {
		return err
	}
	if missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}
