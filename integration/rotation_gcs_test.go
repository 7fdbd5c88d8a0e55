package integration_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/blobdock/blobdock/integration/emulator"
)

// rotatingGCS exchanges tokens, which end, and the key file of a service account for that of
// another one. A token is for the account whose key asked for it.
func rotatingGCS(t *testing.T) rotation {
	t.Helper()
	store := gcsCloud{GCS: emulator.StartGCS(t)}
	through, proxy := store.through(t)
	bucket := store.newBucket(t)
	g := new(gate)
	var mu sync.Mutex
	tokens := make(map[string]string) // by account
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		token, ok := tokens[issuerOf(r)]
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, token)
	}))
	t.Cleanup(srv.Close)
	give := func(account, token string) {
		g.issue("Bearer " + token)
		mu.Lock()
		defer mu.Unlock()
		tokens[account] = token
	}

	base := store.serviceAccount(t)
	file := filepath.Join(t.TempDir(), "account.json")
	write := func(account string) {
		text, err := os.ReadFile(base)
		key := make(map[string]string)
		if err == nil {
			err = json.Unmarshal(text, &key)
		}
		key["client_email"], key["token_uri"] = account, srv.URL
		if err == nil {
			text, err = json.Marshal(key)
		}
		if err != nil {
			t.Error(err)
			return
		}
		replaceFile(t, file, string(text))
	}
	rotate := func(n int) {
		account := func(n int) string { return fmt.Sprintf("account%d@blobdock.iam.gserviceaccount.com", n/2) }
		give(account(n), fmt.Sprintf("token%d", n))
		if n%2 == 0 { // another account; otherwise its token has ended
			write(account(n))
			mu.Lock()
			delete(tokens, account(n-2))
			mu.Unlock()
		}
		g.revoke()
	}
	rotate(0)
	proxy.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if g.admits(func(valid string) bool { return r.Header.Get("Authorization") == valid }) {
			next.ServeHTTP(w, r)
			return
		}
		// https://cloud.google.com/storage/docs/json_api/v1/status-codes#401-unauthorized
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"code":401,"message":"Invalid Credentials","errors":[{"domain":"global","reason":"authError","message":"Invalid Credentials"}]}}`)
	})
	return rotation{
		storage: through.bare(bucket) + "&credentials_file=" + url.QueryEscape(file), store: store, bucket: bucket, gate: g, rotate: rotate,
	}
}

// issuerOf is the account that asks for a token.
// https://developers.google.com/identity/protocols/oauth2/service-account
func issuerOf(r *http.Request) string {
	parts := strings.Split(r.FormValue("assertion"), ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Iss string }
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Iss
}
