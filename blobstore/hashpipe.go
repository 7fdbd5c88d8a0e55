package blobstore

// hashPipe hashes buffers in a goroutine of its own, while they are being
// filled and sent.
type hashPipe struct {
	hash *hashes
	work chan hashWork
	idle chan struct{} // closed when the goroutine has ended
}

type hashWork struct {
	buf *buffer
	p   []byte // part of buf
}

// hashChunk is how many bytes are worth a hand-over to the goroutine. With 256 KiB a
// push takes some tenth more CPU time, for waking it.
const hashChunk = 1 << 20

// add hashes p, which lies in buf. Small leftovers before the first full chunk
// are hashed at once: a small blob needs no goroutine.
func (h *hashPipe) add(buf *buffer, p []byte) {
	if h.work == nil {
		if len(p) < hashChunk {
			_, _ = h.hash.Write(p)
			return
		}
		h.work, h.idle = make(chan hashWork, 16), make(chan struct{})
		go h.run(h.work, h.idle)
	}
	buf.use()
	h.work <- hashWork{buf: buf, p: p}
}

func (h *hashPipe) run(work <-chan hashWork, idle chan<- struct{}) {
	defer close(idle)
	for w := range work {
		_, _ = h.hash.Write(w.p)
		w.buf.done()
	}
}

// stop waits until all that was added is hashed, and ends the goroutine. A later add begins a new one.
func (h *hashPipe) stop() {
	if h.work != nil {
		close(h.work)
		<-h.idle
		h.work = nil
	}
}
