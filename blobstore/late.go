package blobstore

import "net/http"

// late is a ResponseWriter that holds the status back until there is something to
// send, so that a body that fails at once can still be answered by an error.
type late struct {
	http.ResponseWriter
	status int // 0 before WriteHeader
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

// flush sends the status, unless that is done or there is none.
func (l *late) flush() {
	if !l.sent && l.status != 0 {
		l.ResponseWriter.WriteHeader(l.status)
	}
	l.sent = true
}

// Unwrap is for http.ResponseController.
func (l *late) Unwrap() http.ResponseWriter { return l.ResponseWriter }
