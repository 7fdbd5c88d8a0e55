package integration_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/blobdock/blobdock/integration/emulator"
)

// TestReady has the store fail behind the program, and come back, and the program
// drain. It is alive all the time.
func TestReady(t *testing.T) {
	t.Parallel()
	s := emulator.Start(t)
	c, proxy := onMinIO(s).through(t)
	o := observing(t, c.env(t), c.bare(s.NewBucket(t)))
	o.status(t, "/readyz", http.StatusOK, "ok")
	proxy.Intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusForbidden) })
	asked, began := proxy.Counts().Requests(), time.Now()
	o.status(t, "/readyz", http.StatusServiceUnavailable, "storage: access denied\n")
	o.status(t, "/livez", http.StatusOK, "ok")
	// The probes come 20 times a second, and reach the store every 5 s.
	if n := proxy.Counts().Requests() - asked; n > int(time.Since(began)/(4*time.Second))+1 {
		t.Errorf("the store was asked %d times in %v", n, time.Since(began))
	}
	proxy.Intercept(nil)
	o.status(t, "/readyz", http.StatusOK, "ok")
	do(t, http.MethodGet, o.debug+"/debug/health", nil, nil).want(t, http.StatusOK)

	body := content{mib, 1}
	conn := unfinished(t, begin(t, o.url, "drained"), body, 0, body.size/2)
	if !within(10*time.Second, func() bool { return o.by(t, "blobdock_uploads_open", "")[""] == 1 }) {
		t.Error("the upload does not begin")
	}
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	o.status(t, "/readyz", http.StatusServiceUnavailable, "the registry is stopping\n")
	o.status(t, "/livez", http.StatusOK, "ok")
	if _, err := io.Copy(conn, body.section(body.size/2, body.size/2)); err != nil {
		t.Fatal(err)
	}
	if code := o.code(t, 20*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0\n%s", code, o.stderr.String())
	}
}

// TestDebugAddressTaken ends at the start, with one line that says so.
func TestDebugAddressTaken(t *testing.T) {
	t.Parallel()
	taken := freeAddr(t)
	l, err := net.Listen("tcp", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := launch(t, []string{"REGISTRY_HTTP_DEBUG_ADDR=" + taken}, "serve", "--listen", freeAddr(t))
	if code := p.code(t, 30*time.Second); code != 1 || !strings.Contains(p.stderr.String(), "debug address: ") {
		t.Errorf("exit code %d, want 1\n%s", code, p.stderr.String())
	}
}
