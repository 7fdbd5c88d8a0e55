package upload

// hasher hashes bytes in a goroutine of its own while others are received and sent.
type hasher struct {
	hashes *hashes
	work   chan func()
	idle   chan struct{} // closed when the goroutine has ended
}

// hashChunk is how many bytes are worth a hand-over to the goroutine.
const hashChunk = 1 << 20

// run has f run after all that was handed over before. Small work before the first full
// chunk is done at once: a small blob needs no goroutine.
func (h *hasher) run(size int, f func()) {
	if h.work == nil {
		if size < hashChunk {
			f()
			return
		}
		h.work, h.idle = make(chan func(), 16), make(chan struct{})
		go func(work <-chan func(), idle chan<- struct{}) {
			defer close(idle)
			for f := range work {
				f()
			}
		}(h.work, h.idle)
	}
	h.work <- f
}

// wait waits until all is hashed, and ends the goroutine. A later run begins another.
func (h *hasher) wait() {
	if h.work != nil {
		close(h.work)
		<-h.idle
		h.work = nil
	}
}
