package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// text writes the table for a terminal: three lines a scenario.
func (r Report) text(out io.Writer) error {
	var w bytes.Buffer
	cols := r.columns()
	widths := r.widths(cols)
	fmt.Fprintln(&w, r.summary())
	for _, p := range r.pairs() {
		if p.firstOfStore {
			heads := []string{""}
			for _, c := range cols {
				heads = append(heads, c.head)
			}
			fmt.Fprintf(&w, "\n%s\n%s\n", p.head.Title, aligned(widths, heads))
		}
		fmt.Fprintf(&w, "%s: %s\n", p.head.Scenario, p.head.About)
		for _, row := range p.rows() {
			if row.NotRun != "" {
				fmt.Fprintf(&w, "%s  not run: %s\n", aligned(widths[:1], []string{string(row.Registry)}), row.NotRun)
				continue
			}
			fmt.Fprintln(&w, aligned(widths, cells(cols, row)))
		}
		if p.ours != nil {
			fmt.Fprintln(&w, aligned(widths, ratios(cols, p)))
		}
	}
	_, err := out.Write(w.Bytes())
	return err
}

// cells are a row's line.
func cells(cols []column, row *Row) []string {
	s := []string{string(row.Registry)}
	for _, c := range cols {
		s = append(s, c.cell(row))
	}
	return s
}

// ratios are the line below both registries.
func ratios(cols []column, p pair) []string {
	s := []string{"ratio"}
	for _, c := range cols {
		text := "-"
		if v, ok := c.ratio(p.ours, p.stock); ok {
			text = formatRatio(v)
		}
		s = append(s, text)
	}
	return s
}

// widths are those of all columns, the registry's included.
func (r Report) widths(cols []column) []int {
	widths := []int{len("  " + blobdock)}
	for _, c := range cols {
		width := len(c.head)
		for _, row := range r.Rows {
			width = max(width, utf8.RuneCountInString(c.cell(row)))
		}
		widths = append(widths, width)
	}
	return widths
}

// aligned puts cells into columns, two spaces apart and all to the right.
func aligned(widths []int, cells []string) string {
	var s strings.Builder
	for i, cell := range cells {
		if i > 0 {
			s.WriteString("  ")
		}
		s.WriteString(strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell))) + cell)
	}
	return s.String()
}
