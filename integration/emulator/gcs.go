package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
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
	return forTest(tb, g.MakeBucket, g.DropBucket)
}

// MakeBucket makes an empty bucket under a name of its own.
func (g GCS) MakeBucket(ctx context.Context) (string, error) {
	name := newName()
	return name, g.do(ctx, http.MethodPost, "/storage/v1/b?project=blobdock", map[string]string{"name": name}, nil)
}

// DropBucket empties a bucket, as the server removes no full one, and removes it.
func (g GCS) DropBucket(ctx context.Context, name string) error {
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
			err := g.do(ctx, http.MethodDelete, bucket+"/o/"+url.PathEscape(o.Name), nil, nil)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // a registry may still tidy up
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
	if res.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s %s: %w", method, req.URL, fs.ErrNotExist)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.1000s", method, req.URL, res.Status, got)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(got, out)
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
