package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// unfinished sends a PATCH that announces c from off to its end, but only the
// bytes before stop. The connection stays open.
func unfinished(t testing.TB, at string, c content, off, stop int64) net.Conn {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "PATCH %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
		u.RequestURI(), u.Host, c.size-off)
	if _, err := io.Copy(w, c.section(off, stop-off)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// abandon is unfinished by a client that then goes away.
func abandon(t testing.TB, at string, c content, off, stop int64) {
	t.Helper()
	if err := unfinished(t, at, c, off, stop).Close(); err != nil {
		t.Fatal(err)
	}
}

// resumeAt asks for an upload's status until it has got to offset, and returns
// where it goes on.
func resumeAt(t testing.TB, at string, offset int64) string {
	t.Helper()
	want := fmt.Sprintf("0-%d", offset-1)
	var got string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		res := do(t, http.MethodGet, at, nil, nil).want(t, http.StatusNoContent)
		if got = res.Header.Get("Range"); got == want {
			return res.location()
		}
	}
	t.Fatalf("the upload stays at %s, want %s", got, want)
	return ""
}
