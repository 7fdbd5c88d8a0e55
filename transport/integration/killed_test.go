package integration_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/integration/wire"
	"github.com/blobdock/blobdock/transport/internal/sample"
)

// TestKilled ends a copy in its middle: nothing of the image shows, what was stored by then is not
// sent again when the copy is repeated, and the image is whole then. A copy that is asked to end
// leaves nothing unfinished.
func TestKilled(t *testing.T) {
	onEach(t, func(t *testing.T, b bucket) {
		l := sample.New(t)
		layers := [][]byte{sample.Layer(1, 2<<20), sample.Layer(2, 2<<20), sample.Layer(3, 20<<20), sample.Layer(4, 20<<20)}
		want := l.Image("v1", "amd64", layers...).Digest.String()
		all := int64(0)
		for _, layer := range layers {
			all += int64(len(layer))
		}
		to := "bucket:" + b.url + "#team/app:v1"
		for _, tt := range []struct {
			name   string
			signal syscall.Signal
			says   string
			after  int64 // bytes
		}{{"killed", syscall.SIGKILL, "", 3 << 20}, {"asked to end", syscall.SIGTERM, "interrupted", 10 << 20}} {
			b.proxy.Reset()
			reached, release := make(chan struct{}, 1), make(chan struct{})
			b.proxy.Intercept(holdAfter(b.proxy, tt.after, reached, release))
			p := start(t, imageProgram, nil, append(copyFlags, "oci:"+l.Dir+":v1", to)...)
			select {
			case <-reached:
			case <-p.done:
				close(release)
				t.Fatalf("%s: it ended before: %s", tt.name, p.out.String())
			}
			if err := p.cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // it takes notice
			close(release)
			<-p.done
			b.proxy.Intercept(nil)
			if p.cmd.ProcessState.Success() || !strings.Contains(p.out.String(), tt.says) {
				t.Errorf("%s: %s, and printed\n%s", tt.name, p.cmd.ProcessState, p.out.String())
			}
			for _, key := range keys(t, b.url) {
				if strings.Contains(key, "/_manifests/") || tt.signal == syscall.SIGTERM && strings.Contains(key, "/_uploads/") {
					t.Errorf("%s: left is %s", tt.name, key)
				}
			}
		}
		b.proxy.Reset()
		copied(t, "oci:"+l.Dir+":v1", to)
		counts := b.proxy.Counts()
		if counts.Sent > all-int64(len(layers[0])) {
			t.Errorf("repeated, it sent %d bytes of %d", counts.Sent, all)
		}
		copied(t, to, "oci:"+t.TempDir()+":v1") // with all digests
		if got := image(t, "inspect", to); !strings.Contains(got, want) {
			t.Errorf("the image is\n%s\nwant %s", got, want)
		}
		t.Logf("repeated: %s, %d bytes of %d", counts, counts.Sent, all)
	})
}

// holdAfter holds requests once so many bytes were sent, and tells it, until release is closed: then
// those that were held are lost on their way, and others pass.
func holdAfter(p *wire.Proxy, bytes int64, reached chan<- struct{}, release <-chan struct{}) wire.Interceptor {
	return func(w http.ResponseWriter, r *http.Request, store http.Handler) {
		select {
		case <-release:
		default:
			if p.Counts().Sent >= bytes {
				select {
				case reached <- struct{}{}:
				default:
				}
				<-release
				panic(http.ErrAbortHandler)
			}
		}
		store.ServeHTTP(w, r)
	}
}

// keys lists what is in a bucket.
func keys(t *testing.T, storage string) (all []string) {
	t.Helper()
	b, err := driver.Open(t.Context(), storage)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for e, err := range driver.List(t.Context(), b, driver.ListRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key)
	}
	return all
}
