package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// markdown writes one table a store. A cell has stock's number, ours, and the ratio.
func (r Report) markdown(out io.Writer) error {
	var w bytes.Buffer
	cols := r.columns()
	fmt.Fprintf(&w, "%s. Each cell: distribution's own driver → blobdock (ratio).\n", r.summary())
	for _, p := range r.pairs() {
		if p.firstOfStore {
			fmt.Fprintf(&w, "\n### %s\n\n| |", p.head.Title)
			for _, c := range cols {
				fmt.Fprintf(&w, " %s |", c.head)
			}
			fmt.Fprintf(&w, "\n|---|%s\n", strings.Repeat("---:|", len(cols)))
		}
		fmt.Fprintf(&w, "| **%s** %s |", p.head.Scenario, escape(p.head.About+p.notRun()))
		for _, c := range cols {
			fmt.Fprintf(&w, " %s |", p.cell(c))
		}
		fmt.Fprintln(&w)
	}
	_, err := out.Write(w.Bytes())
	return err
}

// cell has all of a pair's numbers of one column.
func (p pair) cell(c column) string {
	if p.reached != nil {
		return c.cell(p.reached)
	}
	s := c.cell(p.stock) + " → " + c.cell(p.ours)
	if v, ok := c.ratio(p.ours, p.stock); ok {
		s += " (" + formatRatio(v) + ")"
	}
	return s
}

// notRun tells why numbers are missing.
func (p pair) notRun() string {
	var s string
	for _, row := range p.rows() {
		if row.NotRun != "" {
			s += "; " + string(row.Registry) + " not run: " + row.NotRun
		}
	}
	return s
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
