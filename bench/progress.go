package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows how far a run is. The nil bar shows nothing.
type bar struct{ *progressbar.ProgressBar }

// newBar shows progress on w, if that is a terminal.
func newBar(w io.Writer, steps int) *bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &bar{progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(w), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(20), progressbar.OptionShowDescriptionAtLineEnd(),
	)}
}

// show says what is being done.
func (b *bar) show(what string) {
	if b != nil {
		b.Describe(what)
	}
}

// done counts a step.
func (b *bar) done() {
	if b != nil {
		_ = b.Add(1)
	}
}

func (b *bar) close() {
	if b != nil {
		_ = b.Finish()
		_ = b.Clear()
	}
}
