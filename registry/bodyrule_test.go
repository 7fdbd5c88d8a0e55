package registry_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/blobdock/blobdock/registry"
)

// slowBody brings bytes after waits, and fails when the connection's deadline is exceeded.
type slowBody struct {
	steps   []step
	aborted chan struct{}
}

type step struct {
	wait  time.Duration
	bytes int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if len(b.steps) == 0 {
		return 0, io.EOF
	}
	s := &b.steps[0]
	select {
	case <-time.After(s.wait):
	case <-b.aborted:
		return 0, os.ErrDeadlineExceeded
	}
	n := min(s.bytes, len(p))
	if s.wait, s.bytes = 0, s.bytes-n; s.bytes == 0 {
		b.steps = b.steps[1:]
	}
	return n, nil
}

func (b *slowBody) Close() error { return nil }

// deadlined is a ResponseWriter whose connection has deadlines.
type deadlined struct {
	*httptest.ResponseRecorder
	body *slowBody
}

func (d deadlined) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Now()) {
		close(d.body.aborted)
	}
	return nil
}

// TestBodyRule has bodies come in every slow way, in virtual time.
func TestBodyRule(t *testing.T) {
	repeat := func(n int, s ...step) (all []step) {
		for range n {
			all = append(all, s...)
		}
		return all
	}
	const m = time.Minute
	for _, tt := range []struct {
		name    string
		params  string
		steps   []step
		pause   time.Duration // of the handler, between Reads
		want    int           // bytes that the handler gets
		timeout time.Duration // when the body ends with an error; 0 is not at all
	}{
		{"at once", "", repeat(100, step{0, 1 << 20}), 0, 100 << 20, 0},
		{"never begins", "", repeat(1, step{24 * time.Hour, 1}), 0, 0, m},
		{"stands still", "", append(repeat(10, step{time.Second, 1 << 20}), step{24 * time.Hour, 1}), 0, 10 << 20, 10*time.Second + m},
		{"stands still after an hour", "", append(repeat(3600, step{time.Second, 600}), step{24 * time.Hour, 1}), 0, 3600 * 600, time.Hour + m},
		{"pauses below the timeout", "", repeat(60, step{59 * time.Second, 1 << 20}), 0, 60 << 20, 0},
		{"the slowest rate", "", repeat(3600, step{time.Second, 500}), 0, 3600 * 500, 0},
		{"a byte now and then", "", repeat(1000, step{10 * time.Second, 1}), 0, 7, 70 * time.Second},
		{"half of the rate", "", repeat(1000, step{time.Second, 250}), 0, 120 * 250, 2 * m},
		{"slow after it was fast", "", append([]step{{0, 100 << 20}}, repeat(1000, step{10 * time.Second, 1})...), 0, 100<<20 + 7, 70 * time.Second},
		{"any rate", "body_min_rate=0", repeat(1000, step{59 * time.Second, 1}), 0, 1000, 0},
		{"any rate, stands still", "body_min_rate=0", append(repeat(10, step{59 * time.Second, 1}), step{time.Hour, 1}), 0, 10, 10*59*time.Second + m},
		{"no timeout", "body_timeout=0s", repeat(3, step{24 * time.Hour, 1}), 0, 3, 0},
		{"other limits", "body_timeout=2s&body_min_rate=1KiB", repeat(100, step{time.Second, 512}), 0, 4 * 512, 4 * time.Second},
		{"the registry takes its time", "", repeat(20, step{0, 1 << 10}), time.Hour, 20 << 10, 0},
		{"both take theirs", "", append(repeat(3, step{20 * time.Second, 1}), step{time.Hour, 1}), time.Hour, 3, m + 3*time.Hour + m},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := &configuration.Configuration{Storage: configuration.Storage{"blobdock": {"url": "given://b?" + tt.params}}}
				b := &slowBody{tt.steps, make(chan struct{})}
				began := time.Now()
				var failed time.Duration
				got := 0
				h := registry.Handler(config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					p := make([]byte, 64<<10)
					for {
						n, err := r.Body.Read(p)
						got += n
						if err == io.EOF {
							w.WriteHeader(http.StatusCreated)
							return
						}
						if err != nil {
							failed = time.Since(began)
							if !errors.Is(err, os.ErrDeadlineExceeded) {
								t.Errorf("got %v, want an exceeded deadline", err)
							}
							if _, err := r.Body.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
								t.Errorf("a second Read: got %v", err)
							}
							if r.Context().Err() == nil {
								t.Error("the request's context goes on")
							}
							w.WriteHeader(http.StatusInternalServerError)
							return
						}
						if r.Context().Err() != nil {
							t.Error("the request's context has ended")
						}
						time.Sleep(tt.pause)
					}
				}))
				w := deadlined{httptest.NewRecorder(), b}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v2/a/blobs/uploads/x", io.NopCloser(bytes.NewReader(nil)))
				r.Body, r.ContentLength, r.ProtoMajor = b, -1, 2
				h.ServeHTTP(w, r)
				wantStatus := http.StatusCreated
				if tt.timeout > 0 {
					wantStatus = http.StatusRequestTimeout
				}
				if got != tt.want || failed != tt.timeout || w.Code != wantStatus {
					t.Errorf("got %d bytes, an error after %v and %d, want %d, %v and %d", got, failed, w.Code, tt.want, tt.timeout, wantStatus)
				}
				if refused := strings.Contains(w.Body.String(), "REQUEST_TIMEOUT"); refused != (tt.timeout > 0) {
					t.Errorf("answered %q", w.Body)
				}
			})
		})
	}
}
