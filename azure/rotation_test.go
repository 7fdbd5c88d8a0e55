package azure

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/retry"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRotatedKey has the store refuse the key that was in the file at first.
func TestRotatedKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	writeFile(t, file, testKey+"\n")
	var old string // signature by the old key
	first := true
	b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
		if first {
			first, old = false, r.Header.Get("Authorization")
			reject(403, "AuthenticationFailed")(w, r)
			return
		}
		created(w, r)
	}, func(c *Config) { c.Key, c.KeyFile = "", file })
	put := func() error {
		_, err := b.Put(t.Context(), "key", section("hello"), driver.WriteOptions{})
		return err
	}
	if err := put(); !errors.Is(err, driver.Denied) || len(f.take()) != 1 {
		t.Errorf("the file has the same key: %v", err)
	}
	writeFile(t, file, "")
	first = true
	if err := put(); !errors.Is(err, driver.Denied) || len(f.take()) != 1 {
		t.Errorf("the file is empty: %v", err)
	}
	writeFile(t, file, base64.StdEncoding.EncodeToString([]byte("another")))
	first = true
	err := put()
	if sent := f.take(); err != nil || len(sent) != 2 || sent[1].body != "hello" || sent[1].header.Get("Authorization") == old {
		t.Errorf("the file has another key: %v, %d requests", err, len(sent))
	}
	// Signing makes no request that could be refused.
	before := b.sasOf(t)
	writeFile(t, file, testKey)
	b.auth.file.looked = time.Time{}
	if after := b.sasOf(t); after == before {
		t.Error("signed by the old key")
	}
}

// TestRotatedKeyInSignatures has the store refuse what the old key signed where it is not the
// request: the source of a copy, a URL, and the requests of a batch. The calls are made again,
// as nothing was done, and signed by the new key.
func TestRotatedKeyInSignatures(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	up := newUpload(driver.WriteOptions{})
	src := driver.Source{Key: "src", Range: driver.Range{Len: 5}}
	batch := func(w http.ResponseWriter, status string) {
		w.Header().Set("Content-Type", "multipart/mixed; boundary=b")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 "+status+"\r\n\r\n--b--\r\n")
	}
	for _, tt := range []struct {
		name   string
		refuse http.HandlerFunc
		signed func(r request) string
		do     func(context.Context, driver.Bucket) error
	}{
		{"part", reject(403, "CannotVerifyCopySource"), func(r request) string { return r.header.Get("X-Ms-Copy-Source") }, func(ctx context.Context, b driver.Bucket) error {
			_, err := b.Features().CopyPart(ctx, driver.Upload{Key: "key", ID: up.id()}, 1, src)
			return err
		}},
		{"copy", reject(403, "CannotVerifyCopySource"), func(r request) string { return r.header.Get("X-Ms-Copy-Source") }, func(ctx context.Context, b driver.Bucket) error {
			_, err := b.Features().Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key"})
			return err
		}},
		{"copy as another type", reject(403, "CannotVerifyCopySource"), func(r request) string { return r.header.Get("X-Ms-Copy-Source") }, func(ctx context.Context, b driver.Bucket) error {
			_, err := b.Features().Copy(ctx, driver.CopyRequest{Src: driver.Source{Key: "src"}, Dst: "key", Options: driver.WriteOptions{ContentType: "text/plain"}})
			return err
		}},
		{"delete", reject(403, "AuthenticationFailed"), func(r request) string { return r.uri }, func(ctx context.Context, b driver.Bucket) error {
			return b.Delete(ctx, "key", driver.DeleteOptions{NotAfter: time.Now().Add(time.Hour)})
		}},
		{"batch", func(w http.ResponseWriter, _ *http.Request) {
			batch(w, "403 Forbidden\r\nx-ms-error-code: AuthenticationFailed")
		}, func(r request) string { return r.body }, func(ctx context.Context, b driver.Bucket) error {
			return b.Features().DeleteBatch(ctx, driver.Refs("key"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			writeFile(t, file, testKey)
			rotate, requests := false, 0
			b, f := fakeStore(t, func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests == 1 {
					if rotate {
						writeFile(t, file, base64.StdEncoding.EncodeToString([]byte("another")))
					}
					tt.refuse(w, r)
					return
				}
				switch r.Method {
				case http.MethodPost:
					batch(w, "202 Accepted")
				case http.MethodDelete:
					deleted(w, r)
				default:
					w.Header().Set("Etag", `"0x1"`)
					w.WriteHeader(map[bool]int{false: http.StatusCreated, true: http.StatusAccepted}[r.Header.Get("X-Ms-Requires-Sync") == "true"])
				}
			}, func(c *Config) { c.Key, c.KeyFile = "", file })
			rb := retry.Wrap(b, retry.Policy{Base: time.Millisecond})
			if err := tt.do(t.Context(), rb); !errors.Is(err, driver.Denied) || len(f.take()) != 1 {
				t.Errorf("the file has the same key: %v", err)
			}
			rotate, requests = true, 0
			err := tt.do(t.Context(), rb)
			sent := f.take()
			if err != nil || len(sent) < 2 || tt.signed(sent[0]) == tt.signed(sent[1]) {
				t.Errorf("the file has another key: %v, %d requests", err, len(sent))
			}
		})
	}
}

// sasOf is the signature of a source.
func (b *Bucket) sasOf(t *testing.T) string {
	t.Helper()
	end := time.Now().Add(time.Hour).Truncate(time.Hour).Add(time.Hour)
	v := b.sas("key", end, sas.BlobPermissions{Read: true})
	v.StartTime = end.Add(-time.Hour)
	q, _, err := b.signature(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	_, sig, _ := strings.Cut(q, "sig=")
	sig, _, _ = strings.Cut(sig, "&")
	return sig
}

// TestRotatedIdentity has the chain fail until its file is another.
func TestRotatedIdentity(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, "old")
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	made := 0
	i := &identity{make: func() (azcore.TokenCredential, error) {
		made++
		text, err := os.ReadFile(file)
		if string(text) == "old" {
			return &tokens{errors.New("expired")}, err
		}
		return &tokens{}, err
	}}
	if _, err := i.chain(true); err != nil {
		t.Fatal(err)
	}
	get := func() error {
		_, err := i.GetToken(t.Context(), policy.TokenRequestOptions{})
		return err
	}
	if err := get(); err == nil || made != 1 {
		t.Errorf("the file is the same: %v, made %d chains", err, made)
	}
	writeFile(t, file, "new")
	if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := get(); err != nil || made != 2 {
			t.Errorf("the file has changed: %v, made %d chains", err, made)
		}
	}
}

// TestTokenTransport asks a private authority, with a certificate of a private one, for the
// token.
func TestTokenTransport(t *testing.T) {
	asked := map[string]int{}
	srv := httptest.NewUnstartedServer(nil)
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			_, _ = w.Write([]byte(`{"issuer":"` + srv.URL + `/tenant/v2.0","authorization_endpoint":"` + srv.URL + `/tenant/authorize","token_endpoint":"` + srv.URL + `/tenant/token"}`))
			return
		}
		_, _ = w.Write([]byte(`{"token_type":"Bearer","expires_in":3600,"access_token":"` + testToken + `"}`))
	})
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	for name, value := range map[string]string{
		"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "client", "AZURE_CLIENT_SECRET": "s3cr3t",
		"AZURE_AUTHORITY_HOST": srv.URL + "/", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
	} {
		t.Setenv(name, value)
	}
	for name, tt := range map[string]struct {
		network driver.Network
		ok      bool
	}{"trusted": {driver.Network{CAFile: ca}, true}, "not trusted": {driver.Network{}, false}} {
		b := openTest(t, Config{Container: "container", Account: "account", Network: tt.network})
		got, err := b.auth.token.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{storageScope}})
		if (err == nil) != tt.ok || tt.ok && got.Token != testToken {
			t.Errorf("%s: %v; asked %v", name, err, asked)
		}
		noSecrets(t, err)
	}
}
