package gcs_test

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/storage/v1"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/gcs"
)

// TestCredentialsBeside takes a key file's content in the place of the file, by the URL's
// side and not in it.
func TestCredentialsBeside(t *testing.T) {
	f := newFake(t, "bucket")
	text, err := os.ReadFile(newKey(t).file)
	if err != nil {
		t.Fatal(err)
	}
	l, err := driver.Parse(t.Context(), "gs://bucket?endpoint="+f.URL, driver.Overrides{"credentials": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.ListPage(t.Context(), driver.ListRequest{}); err != nil {
		t.Errorf("ListPage: %v", err)
	}
	if _, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: "GET", Key: "key", Expires: time.Minute}); err != nil {
		t.Errorf("Sign: %v", err)
	}
	for _, s := range l.Settings() {
		if strings.Contains(s.Value, "PRIVATE KEY") {
			t.Errorf("%s tells the key", s.Name)
		}
	}
	for _, tt := range []struct {
		c    gcs.Config
		want string
	}{
		{gcs.Config{Bucket: "b", CredentialsJSON: "s3cr3t"}, "not JSON"},
		{gcs.Config{Bucket: "b", CredentialsJSON: string(text), CredentialsFile: "f"}, "exclude each other"},
		{gcs.Config{Bucket: "b", CredentialsJSON: string(text), Anonymous: true}, "anonymous"},
	} {
		_, err := gcs.Open(t.Context(), tt.c)
		if !errors.Is(err, driver.Invalid) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("got %v, want %v with %q", err, driver.Invalid, tt.want)
		}
		if shown := fmt.Sprintf("%v %#v", tt.c, tt.c); strings.Contains(shown, "s3cr3t") || strings.Contains(shown, "PRIVATE") {
			t.Errorf("prints %s", shown)
		}
	}
}

// TestMarkedCredentials takes key files, and their content, with a byte order mark and in quotes.
func TestMarkedCredentials(t *testing.T) {
	f := newFake(t, "bucket")
	text, err := os.ReadFile(newKey(t).file)
	if err != nil {
		t.Fatal(err)
	}
	marked := filepath.Join(t.TempDir(), "marked.json")
	if err := os.WriteFile(marked, []byte("\ufeff"+string(text)+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		beside   driver.Overrides
		variable string
	}{
		"beside the URL":  {driver.Overrides{"credentials": "\ufeff'" + string(text) + "'\n"}, ""},
		"in a file":       {driver.Overrides{"credentials_file": marked}, ""},
		"by the variable": {nil, marked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", tt.variable)
			l, err := driver.Parse(t.Context(), "gs://bucket?endpoint="+f.URL, tt.beside)
			if err != nil {
				t.Fatal(err)
			}
			b, err := l.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if _, err := b.ListPage(t.Context(), driver.ListRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRotatedKey replaces the key file of an open bucket: the next call signs, and gets its
// token, with the new key. A file that is half written changes nothing.
func TestRotatedKey(t *testing.T) {
	f := newFake(t, "bucket")
	old, next := newKey(t), newKey(t)
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: old.file})
	list := func() {
		t.Helper()
		if _, err := b.ListPage(t.Context(), driver.ListRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	signedBy := func(k key) {
		t.Helper()
		s, err := b.Features().Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		verify(t, http.MethodGet, s.URL, func(digest, signature []byte) error {
			return rsa.VerifyPKCS1v15(&k.private.PublicKey, crypto.SHA256, digest, signature)
		})
	}
	list()
	list()
	signedBy(old)
	text, err := os.ReadFile(next.file)
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range [][]byte{text[:len(text)/2], text} {
		if err := os.WriteFile(old.file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		list()
		signedBy([]key{old, next}[i])
	}
	list()
	if old.tokens.Load() != 1 || next.tokens.Load() != 1 {
		t.Errorf("%d tokens by the old key, %d by the new one, want 1 each", old.tokens.Load(), next.tokens.Load())
	}
}

// TestRevokedWhileAsked replaces and revokes the key while a token is asked for by it.
func TestRevokedWhileAsked(t *testing.T) {
	f := newFake(t, "bucket")
	old, next := newKey(t), newKey(t)
	text, err := os.ReadFile(next.file)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 2 {
			if err := os.WriteFile(old.file, text, 0o600); err != nil {
				t.Error(err)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
	}))
	t.Cleanup(srv.Close)
	old.setTokenURI(t, srv.URL)
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: old.file})
	if _, err := b.ListPage(t.Context(), driver.ListRequest{}); !errors.Is(err, driver.Denied) || asked != 1 {
		t.Errorf("the file has the same key: %v, asked %d times", err, asked)
	}
	if _, err := b.ListPage(t.Context(), driver.ListRequest{}); err != nil || asked != 2 || next.tokens.Load() != 1 {
		t.Errorf("the file has another key: %v, asked %d times", err, asked)
	}
}

// TestRotatedTwice replaces and revokes the key three times while one request is made.
func TestRotatedTwice(t *testing.T) {
	f := newFake(t, "bucket")
	used := newKey(t)
	refused := 0
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if refused%4 == 3 {
			return false
		}
		refused++
		text, err := os.ReadFile(newKey(t).file)
		if err == nil {
			err = os.WriteFile(used.file, text, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: used.file})
	if _, err := b.ListPage(t.Context(), driver.ListRequest{}); err != nil || refused != 3 {
		t.Errorf("a listing that is refused %d times: %v", refused, err)
	}
	refused = 4
	if _, err := b.Put(t.Context(), "key", io.NewSectionReader(strings.NewReader("x"), 0, 1), driver.WriteOptions{}); err != nil || refused != 7 {
		t.Errorf("a Put that is refused %d times: %v", refused-4, err)
	}
}

// TestRefusedToken answers 401 to each request once, and then always: a new token is fetched,
// and the request made once more.
func TestRefusedToken(t *testing.T) {
	f := newFake(t, "bucket")
	k := newKey(t)
	b := open(t, gcs.Config{Bucket: "bucket", Endpoint: f.URL, CredentialsFile: k.file})
	var always bool
	refused := false
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if refused && !always {
			refused = false
			return false
		}
		refused = true
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, func() (any, *refusal) { return nil, &refusal{401, "authError", "Invalid Credentials"} })
		return true
	}
	ctx := t.Context()
	for _, always = range []bool{false, true} {
		for op, do := range map[driver.Op]func() error{
			driver.OpPut:  func() error { _, err := b.Put(ctx, "key", section("x"), driver.WriteOptions{}); return err },
			driver.OpStat: func() error { _, err := b.Stat(ctx, "key"); return err },
			driver.OpConcat: func() error {
				_, err := b.Features().Concat(ctx, driver.ConcatRequest{Key: "joined", Sources: []driver.Object{{Key: "source", Size: 1}}})
				return err
			},
			driver.OpDeleteBatch: func() error { return b.Features().DeleteBatch(ctx, driver.Refs("absent")) },
		} {
			f.buckets["bucket"]["source"] = &stored{storage.Object{Name: "source", Generation: 1}, []byte("x")}
			f.buckets["bucket"]["key"] = f.buckets["bucket"]["source"]
			refused = false
			f.requests.Store(0)
			k.tokens.Store(0)
			err := do()
			want := driver.Unknown
			if always {
				want = driver.Denied
			}
			if requests := f.requests.Load(); driver.KindOf(err) != want || requests != 2 && op != driver.OpDeleteBatch || k.tokens.Load() == 0 {
				t.Errorf("%s, always %t: %v after %d requests and %d tokens", op, always, err, requests, k.tokens.Load())
			}
		}
	}
}
