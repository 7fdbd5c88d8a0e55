package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
)

// pair is the two ends of a TCP connection.
func pair(t *testing.T, limit time.Duration) (near *stallConn, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return &stallConn{Conn: raw, limit: limit}, far
}

// sendLater writes n bytes in pieces once a Read has had the time to begin.
func sendLater(to io.Writer, n, pieces int) {
	go func() {
		time.Sleep(patience / 10)
		for range pieces {
			_, _ = to.Write(make([]byte, n/pieces))
			time.Sleep(time.Millisecond)
		}
	}()
}

// A long Read returns once all of it is there, unless this machine is so busy that it
// takes longer than the reader's patience. A short one returns at the first byte.
func TestGathers(t *testing.T) {
	near, far := pair(t, 10*time.Second)
	p := make([]byte, longRead)
	atOnce := false
	for try := 0; try < 20 && !atOnce; try++ {
		near.gather.slow = false
		sendLater(far, len(p), 16)
		n, err := near.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(near, p[n:]); err != nil {
			t.Fatal(err)
		}
		atOnce = n == len(p)
	}
	if !atOnce {
		t.Errorf("no Read of %d bytes returned all of them", len(p))
	}
	sendLater(far, 1, 1)
	if n, err := near.Read(p[:1000]); n != 1 || err != nil {
		t.Errorf("read %d bytes (%v), want 1", n, err)
	}
}

// What comes slowly is delivered as it comes, also where it is the last before the
// connection ends.
func TestGathersNotForLong(t *testing.T) {
	near, far := pair(t, 10*time.Second)
	p := make([]byte, longRead)
	for _, another := range []bool{false, false, true} {
		if another { // body, as far as the connection knows
			near.gather.slow = false
		}
		sendLater(far, 10, 1)
		began := time.Now()
		if n, err := near.Read(p); n != 10 || err != nil || time.Since(began) > near.limit/2 {
			t.Errorf("read %d bytes (%v) after %v, want 10 after %v at most", n, err, time.Since(began), patience)
		}
	}
	near.gather.slow = false
	_, _ = far.Write(make([]byte, 10))
	_ = far.Close()
	if got, err := io.ReadAll(near); len(got) != 10 || err != nil {
		t.Errorf("read %d bytes (%v), want 10 and the end", len(got), err)
	}
}

// A connection on which nothing comes is given up, long Read or not.
func TestGathersNothing(t *testing.T) {
	near, _ := pair(t, 2*patience)
	for range 2 {
		if n, err := near.Read(make([]byte, longRead)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes (%v), want %v", n, err, os.ErrDeadlineExceeded)
		}
	}
}

// watched is a connection that knows how many bytes are still to come.
type watched struct {
	*net.TCPConn
	t    *testing.T
	left func() int
	long *int // Reads that asked the kernel to gather
}

func (w watched) Read(p []byte) (int, error) {
	if least := lowWater(w.t, w.TCPConn); least > 1 {
		*w.long++
		if left := w.left(); least > len(p) || least > left {
			w.t.Errorf("waits for %d bytes: asked for %d, of %d", least, len(p), left)
		}
	}
	return w.TCPConn.Read(p)
}

func lowWater(t *testing.T, c *net.TCPConn) (least int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(raw.Control(func(fd uintptr) {
		least, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	}), err)
	if err != nil {
		t.Fatal(err)
	}
	return least
}

// Bodies of all sizes arrive by long Reads, over one connection, and no Read waits for
// more than there is still to come of its body. Under TLS none waits.
func TestGathersBodies(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 3<<20>>4)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/announced":
			w.Header().Set("Content-Length", strconv.Itoa(n))
		case "/until-closed":
			w.Header().Set("Transfer-Encoding", "identity")
			w.Header().Set("Connection", "close")
		}
		_, _ = w.Write(content[:n])
	})
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		srv := start(h)
		defer srv.Close()
		transport, err := NewTransport(driver.Network{SkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer transport.CloseIdleConnections()
		var got bytes.Buffer
		var size, long int
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			left := func() int { return size - got.Len() }
			return &stallConn{Conn: watched{c.(*net.TCPConn), t, left, &long}, limit: time.Minute}, nil
		}
		client := &http.Client{Transport: transport}
		buf := make([]byte, 2<<20)
		for _, path := range []string{"/announced", "/chunked", "/until-closed"} {
			for _, n := range []int{0, 1, 4095, longRead - 1, longRead, longRead + 1, mostGathered, mostGathered + 1, 2*mostGathered + longRead, 3 << 20} {
				got.Reset()
				size = n
				if path == "/until-closed" {
					size = 1 << 30 // as far as the client knows; its end is seen all the same
				}
				res, err := client.Get(srv.URL + path + "?n=" + strconv.Itoa(n))
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{res.Body}, buf)
				if err := errors.Join(err, res.Body.Close()); err != nil || !bytes.Equal(got.Bytes(), content[:n]) {
					t.Errorf("%s: got %d of %d bytes (%v)", path, got.Len(), n, err)
				}
			}
		}
		if secure := srv.TLS != nil; (long == 0) != secure {
			t.Errorf("TLS %v: %d long Reads", secure, long)
		}
	}
}
