package main

import (
	"bytes"
	"testing"
)

func TestNoBarInAPipe(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, "copy", true)
	b.at(1, 2)
	b.close()
	if b != nil || out.Len() > 0 {
		t.Errorf("wrote %q to what is no terminal", &out)
	}
}
