package main

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
)

// The chart's measures, in pixels.
const (
	chartLabel = 230 // width of the names
	chartBars  = 460 // width that stock's time has
	chartRight = 130
	barHeight  = 12
	chartGap   = 8
)

// barColors are by latency.
var barColors = []string{"#2f6f9f", "#e08e2b", "#5b8f3a", "#9a4f96"}

// svg draws blobdock's times as parts of stock's: shorter is faster, and the line
// is where both take the same time.
func (r Report) svg(out io.Writer) error {
	var w bytes.Buffer
	y := 48
	for _, p := range r.pairs() {
		if p.firstOfStore {
			y += 26
			fmt.Fprintf(&w, `<text x="8" y="%d" font-weight="bold">%s</text>`+"\n", y, html.EscapeString(p.head.Title))
			y += 12
		}
		if p.ours != nil {
			y = r.bars(&w, p, y)
		}
	}
	width, height := chartLabel+chartBars+chartRight, y+16
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="8" y="20" font-size="15">Time by blobdock, where distribution's own driver takes 1</text>
%s<line x1="%d" x2="%[4]d" y1="56" y2="%d" stroke="#888" stroke-dasharray="4 3"/>
%s</svg>
`, width, height, r.legend(), chartLabel+chartBars, height-8, w.String())
	return err
}

func (r Report) legend() string {
	var s string
	for i, latency := range r.Latencies {
		x := 8 + i*120
		s += fmt.Sprintf(`<rect x="%d" y="32" width="12" height="12" fill="%s"/><text x="%d" y="42">store +%s</text>`+"\n",
			x, barColors[i%len(barColors)], x+18, formatLatency(latency))
	}
	return s
}

// bars draws one scenario from y on, and returns where the next one begins.
func (r Report) bars(w io.Writer, p pair, y int) int {
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", chartLabel-8, y+barHeight-2, html.EscapeString(p.head.Scenario))
	for i, latency := range r.Latencies {
		ours, ok := p.ours.at(latency)
		theirs, too := p.stock.at(latency)
		if !ok || !too || theirs.Wall == 0 {
			fmt.Fprintf(w, `<text x="%d" y="%d" fill="#888">not run</text>`+"\n", chartLabel, y+barHeight-2)
			y += barHeight
			break
		}
		ratio := float64(ours.Wall) / float64(theirs.Wall)
		length := barLength(ratio)
		fmt.Fprintf(w, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			chartLabel, y, length, barHeight-1, barColors[i%len(barColors)], chartLabel+length+4, y+barHeight-2, formatRatio(ratio))
		y += barHeight
	}
	return y + chartGap
}

// barLength is that of a ratio. A bar that is too long ends at the edge;
// its number tells.
func barLength(ratio float64) int {
	return int(min(math.Round(max(ratio, 0)*chartBars), chartBars+chartRight-40))
}
