package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows on a terminal how far a command is. The nil bar shows nothing.
type bar struct{ bar *progressbar.ProgressBar }

// newBar shows progress on w, if that is a terminal: in bytes with their rate, or
// as a count.
func newBar(w io.Writer, what string, bytes bool) *bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &bar{progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetWidth(20), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
	)}
}

// at shows that done of total, in the bar's unit, is done.
func (b *bar) at(done, total int64) {
	if b == nil {
		return
	}
	// A bar that is full ends for good, and the total of a walk is not known before
	// its end.
	b.bar.ChangeMax64(max(total, done+1))
	_ = b.bar.Set64(done)
}

// clear makes room for a line of text. The bar comes back with the next at.
func (b *bar) clear() {
	if b != nil {
		_ = b.bar.Clear()
	}
}

// close takes the bar off the terminal.
func (b *bar) close() {
	if b != nil {
		_ = b.bar.Finish()
		_ = b.bar.Clear()
	}
}

// phaseBar is a bar for each phase.
type phaseBar struct {
	out   io.Writer
	phase string
	bar   *bar
}

// at shows how far a phase is, in bytes or as a count.
func (p *phaseBar) at(phase string, bytes bool, done, total int64) {
	if p.phase != phase {
		p.bar.close()
		p.phase, p.bar = phase, newBar(p.out, phase, bytes)
	}
	p.bar.at(done, total)
}

// clear makes room for a line.
func (p *phaseBar) clear() { p.bar.clear() }
