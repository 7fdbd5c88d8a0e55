package laws

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"
)

// ask passes a call on and returns the whole answer. It is for answers without an
// object's content.
func ask(c call, next handler) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	next(rec, c)
	return rec
}

// reply writes an answer that ask has returned, with another body where body isn't nil.
func reply(w http.ResponseWriter, rec *httptest.ResponseRecorder, body []byte) {
	h := w.Header()
	for k, v := range rec.Header() {
		h[k] = v
	}
	if body == nil {
		body = rec.Body.Bytes()
	} else {
		h.Set("Content-Length", fmt.Sprint(len(body)))
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(body)
}

// headerEditor edits the header of an answer before it is written.
type headerEditor struct {
	http.ResponseWriter
	edit func(status int, h http.Header)
	done bool
}

func (e *headerEditor) WriteHeader(status int) {
	if !e.done && status >= http.StatusOK {
		e.done = true
		e.edit(status, e.Header())
	}
	e.ResponseWriter.WriteHeader(status)
}

func (e *headerEditor) Write(b []byte) (int, error) {
	if !e.done {
		e.WriteHeader(http.StatusOK)
	}
	return e.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (e *headerEditor) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// withReason answers with a reason phrase of the store's own, which net/http does not
// let servers choose, and without a body. The connection ends.
func withReason(w http.ResponseWriter, status int, reason string, h http.Header) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil { // a recorder: nobody sees the phrase
		for k, v := range h {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		return
	}
	defer conn.Close()
	if h.Get("Date") == "" {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", status, reason)
	_ = h.Write(&out)
	out.WriteString("Connection: close\r\n\r\n")
	_, _ = buf.Write(out.Bytes())
	_ = buf.Flush()
}

// hangUp resets the client's connection in place of an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
