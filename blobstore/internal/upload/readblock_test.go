package upload

import "testing"

func TestReadBlock(t *testing.T) {
	var b readBlock
	for i, step := range []struct{ n, want int }{
		{0, smallRead}, {100, smallRead}, {smallRead, largeRead}, {largeRead, largeRead}, {largeRead - 1, smallRead},
		{smallRead - 1, smallRead}, {smallRead, largeRead}, {0, smallRead},
	} {
		b.fit(step.n)
		if len(b.p) != step.want {
			t.Errorf("step %d: a block of %d bytes after a Read of %d, want %d", i, len(b.p), step.n, step.want)
		}
	}
	b.free()
	b.free()
	if b.p != nil {
		t.Error("the block is not given back")
	}
}
