package google

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Account is a service account: a key to sign URLs with, and a server that gives
// tokens for it. fake-gcs-server takes any of either.
type Account struct {
	srv *http.Server
	url string
}

// NewAccount makes an account, which is there until it is closed.
func NewAccount() (*Account, error) {
	return newAccount(http.StatusOK, `{"access_token":"token","token_type":"Bearer","expires_in":3600}`)
}

// NewRefused makes an account that gets no token, as one whose key was revoked.
func NewRefused() (*Account, error) {
	return newAccount(http.StatusBadRequest, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
}

func newAccount(status int, answer string) (*Account, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends by Close
	if err != nil {
		return nil, err
	}
	a := &Account{url: "http://" + ln.Addr().String(), srv: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}),
	}}
	go func() { _ = a.srv.Serve(ln) }()
	return a, nil
}

// Close ends the server that gives tokens.
func (a *Account) Close() { _ = a.srv.Close() }

// Write writes the account's key file.
// https://cloud.google.com/iam/docs/keys-create-delete
func (a *Account) Write(path string) error {
	key, err := signingKey()
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "blobdock", "private_key_id": "1", "client_id": "1",
		"client_email": "blobdock@blobdock.iam.gserviceaccount.com", "token_uri": a.url, "private_key": key,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// signingKey is that of all accounts: to make one takes long.
var signingKey = sync.OnceValues(func() (string, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
})
