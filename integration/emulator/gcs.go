package emulator

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// GCS is how to reach a server that speaks Google Cloud Storage's APIs. It asks
// for no credentials.
type GCS struct {
	Endpoint string // http://127.0.0.1:port, no slash at its end
	Way      string // Environment, Docker or Native
}

// NewBucket makes an empty bucket under a name of its own and removes it, with
// all that is in it, at the end of the test.
func (g GCS) NewBucket(tb testing.TB) string {
	tb.Helper()
	name := "blobdock-" + strings.ToLower(rand.Text()[:12])
	if err := g.do(tb.Context(), http.MethodPost, "/storage/v1/b?project=blobdock", map[string]string{"name": name}, nil); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := g.drop(ctx, name); err != nil {
			tb.Logf("bucket stays: %v", err)
		}
	})
	return name
}

// drop empties a bucket, as the server removes no full one, and removes it.
func (g GCS) drop(ctx context.Context, name string) error {
	bucket := "/storage/v1/b/" + name
	for {
		var page struct{ Items []struct{ Name string } }
		if err := g.do(ctx, http.MethodGet, bucket+"/o", nil, &page); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			return g.do(ctx, http.MethodDelete, bucket, nil, nil)
		}
		for _, o := range page.Items {
			if err := g.do(ctx, http.MethodDelete, bucket+"/o/"+url.PathEscape(o.Name), nil, nil); err != nil {
				return err
			}
		}
	}
}

// ping lists buckets.
func (g GCS) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return g.do(ctx, http.MethodGet, "/storage/v1/b?project=blobdock", nil, nil)
}

// settle tells the server under what name it is reached, without which reads by
// the XML API find nothing: the port is another outside a container than within.
func (g GCS) settle(ctx context.Context) error {
	conf := map[string]string{"externalUrl": g.Endpoint, "publicHost": strings.TrimPrefix(g.Endpoint, "http://")}
	if err := g.do(ctx, http.MethodPut, "/_internal/config", conf, nil); err != nil {
		return err
	}
	return g.ping(ctx)
}

// do sends one request. The SDK's client would drag more into every test binary.
func (g GCS) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.Endpoint+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.1000s", method, req.URL, res.Status, got)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(got, out)
}

// sharedGCS is the one GCS server of this test process.
var sharedGCS gcsPool

// gcsPool is the pool of such a server.
type gcsPool struct {
	mu     sync.Mutex
	users  int
	gcs    GCS
	server *server // nil if the environment named one
	up     bool
	err    error // of the first start; a second try would fail as slowly
}

// StartGCS returns the package's GCS server: the one that BLOBDOCK_GCS_ENDPOINT
// names, else one that it starts. It fails the test when there is none to be had.
func StartGCS(tb testing.TB) GCS {
	tb.Helper()
	sharedGCS.enter()
	tb.Cleanup(func() {
		if err := sharedGCS.leave(); err != nil {
			tb.Errorf("remove fake-gcs-server: %v", err)
		}
	})
	// The server outlives the test that starts it.
	g, err := sharedGCS.get(context.WithoutCancel(tb.Context()))
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func (p *gcsPool) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users++
}

func (p *gcsPool) leave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users > 0 || p.server == nil {
		return nil
	}
	server := p.server
	p.server, p.up = nil, false
	return server.close()
}

func (p *gcsPool) get(ctx context.Context) (GCS, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.up && p.err == nil {
		p.gcs, p.server, p.err = findGCS(ctx)
		p.up = p.err == nil
	}
	return p.gcs, p.err
}

func findGCS(ctx context.Context) (GCS, *server, error) {
	if g, ok, err := environmentGCS(ctx); ok || err != nil {
		return g, nil, err
	}
	ways, err := ways()
	if err != nil {
		return GCS{}, nil, err
	}
	server, err := launch(ctx, fakeGCS(), ways)
	if err != nil {
		return GCS{}, nil, err
	}
	return fakeGCSAt(server.endpoint, server.way), server, nil
}

// environmentGCS returns the server that the environment names.
func environmentGCS(ctx context.Context) (g GCS, ok bool, err error) {
	endpoint := os.Getenv("BLOBDOCK_GCS_ENDPOINT")
	if endpoint == "" || os.Getenv(wayVar) != "" {
		return GCS{}, false, nil
	}
	g = GCS{Endpoint: strings.TrimSuffix(endpoint, "/"), Way: Environment}
	if err := g.ping(ctx); err != nil {
		return GCS{}, false, fmt.Errorf("BLOBDOCK_GCS_ENDPOINT: %w; unset it to have a server started", err)
	}
	fmt.Fprintf(os.Stderr, "emulator: GCS at %s (%s)\n", g.Endpoint, Environment)
	return g, true, nil
}
