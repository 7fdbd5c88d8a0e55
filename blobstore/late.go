package blobstore

import (
	"io"
	"net/http"
)

// late is a ResponseWriter that holds the status back until there is something to
// send, so that a body that fails at once can still be answered by an error.
type late struct {
	http.ResponseWriter
	stop   func() // ends reads that are under way
	status int    // 0 before WriteHeader
	sent   bool
}

func (l *late) WriteHeader(status int) {
	if l.status == 0 {
		l.status = status
	}
}

func (l *late) Write(p []byte) (int, error) {
	l.flush()
	return l.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom, for http.ServeContent.
func (l *late) ReadFrom(r io.Reader) (int64, error) {
	w := struct{ io.Writer }{l}
	if whole, ok := r.(*io.LimitedReader); ok && whole.N < pipeMin {
		return io.Copy(w, r)
	}
	return pipe(w, r, l.stop)
}

// flush sends the status, unless that is done or there is none.
func (l *late) flush() {
	if !l.sent && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	l.sent = true
}

// Unwrap is for http.ResponseController.
func (l *late) Unwrap() http.ResponseWriter { return l.ResponseWriter }
