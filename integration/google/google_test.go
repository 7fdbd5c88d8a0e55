package google_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	gcloud "github.com/blobdock/blobdock/integration/google"
)

func TestAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		open  func() (*gcloud.Account, error)
		token string
	}{
		"good":    {gcloud.NewAccount, "token"},
		"refused": {gcloud.NewRefused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := tc.open()
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			path := filepath.Join(t.TempDir(), "key.json")
			if err := a.Write(path); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			config, err := google.JWTConfigFromJSON(text, "scope")
			if err != nil {
				t.Fatal(err)
			}
			token, err := config.TokenSource(t.Context()).Token()
			if tc.token == "" {
				var refused *oauth2.RetrieveError
				if !errors.As(err, &refused) || refused.Response.StatusCode != http.StatusBadRequest {
					t.Errorf("token of an account that is refused: %v", err)
				}
				return
			}
			if err != nil || token.AccessToken != tc.token {
				t.Errorf("token %v, %v", token, err)
			}
		})
	}
}

// front is one before a server that tells what it was asked.
func front(t *testing.T, ctx context.Context) *http.Client {
	t.Helper()
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != strings.TrimPrefix(srv.URL, "http://") {
			t.Errorf("asked as %s", r.Host)
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", srv.URL+"/upload/1?part=%2F")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.String()+" "+string(body))
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	f, err := gcloud.Start(ctx, srv.URL, dir)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(f.CAFile()); err != nil || strings.Contains(string(text), "PRIVATE") {
		t.Errorf("certificate: %v\n%s", err, text)
	}
	transport := &http.Transport{ForceAttemptHTTP2: true}
	f.Lead(transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestFront(t *testing.T) {
	client := front(t, t.Context())
	for _, host := range []string{"storage.googleapis.com", "www.googleapis.com"} {
		res, err := client.Post("https://"+host+"/b/a%2Fb?x=1", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if got, want := string(body), "POST /b/a%2Fb?x=1 body"; err != nil || got != want || res.StatusCode != http.StatusCreated {
			t.Errorf("%s: %s %q, %v, want %q", host, res.Status, got, err, want)
		}
		if got, want := res.Header.Get("Location"), "https://www.googleapis.com/upload/1?part=%2F"; got != want {
			t.Errorf("%s: goes on at %s, want %s", host, got, want)
		}
	}
}

// TestNobodyElse has the front refuse what is not Google's.
func TestNobodyElse(t *testing.T) {
	client := front(t, t.Context())
	var status int
	client.Transport.(*http.Transport).OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
		status = res.StatusCode
		return nil
	}
	for _, at := range []string{"https://example.com/", "https://storage.googleapis.com:8443/"} {
		status = 0
		res, err := client.Get(at)
		if err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: %s", at, res.Status)
		} else if status != http.StatusForbidden {
			t.Errorf("%s: status %d, %v", at, status, err)
		}
	}
}

func TestFrontEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := front(t, ctx)
	get := func() error {
		res, err := client.Get("https://storage.googleapis.com/")
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for deadline := time.Now().Add(10 * time.Second); get() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the front goes on after its context")
		}
	}
}
