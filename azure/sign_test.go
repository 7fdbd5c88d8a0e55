package azure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/blobdock/blobdock/driver"
)

type tokens struct{ err error }

func (k tokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: testToken, ExpiresOn: time.Now().Add(time.Hour)}, k.err
}

// tokenStore is fakeStore with a token for a credential and the account in the
// host's name.
func tokenStore(t *testing.T, answer http.HandlerFunc, k tokens) (*Bucket, *fake) {
	t.Helper()
	f := &fake{answer: answer}
	srv := httptest.NewTLSServer(f)
	t.Cleanup(srv.Close)
	b := openTest(t, Config{Container: "container", Account: "account", Credential: CredentialDefault, Network: driver.Network{SkipVerify: true}})
	b.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	b.auth.token = &identity{now: k, make: func() (azcore.TokenCredential, error) { return k, nil }}
	var err error
	if b.client, err = b.auth.container(b.containerURL()); err != nil {
		t.Fatal(err)
	}
	return b, f
}

func userKey(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("comp") != "userdelegationkey" {
		created(w, r)
		return
	}
	now := time.Now().UTC().Truncate(time.Second)
	w.Header().Set("Content-Type", "application/xml")
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>oid</SignedOid><SignedTid>tid</SignedTid>`+
		`<SignedStart>%s</SignedStart><SignedExpiry>%s</SignedExpiry><SignedService>b</SignedService><SignedVersion>2024-01-01</SignedVersion><Value>c2VjcmV0</Value></UserDelegationKey>`,
		now.Format(time.RFC3339), now.Add(maxExpires).Format(time.RFC3339))
}

// Signatures of Azure hold for any host; what redirected clients are given names
// the one that they can reach.
func TestSignForAnotherHost(t *testing.T) {
	b := openTest(t, Config{Container: "container", Account: "account", Key: "c2VjcmV0", Endpoint: "http://10.0.0.1:10000/account", RedirectEndpoint: "https://blobs.example.com/account/"})
	got, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "a/key", Expires: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if at, _, _ := strings.Cut(got.URL, "?"); at != "https://blobs.example.com/account/container/a/key" {
		t.Errorf("got %s", at)
	}
}

func TestUserDelegation(t *testing.T) {
	b, f := tokenStore(t, userKey, tokens{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			s, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "dir/key", Expires: time.Hour, ContentType: "text/plain"})
			if err != nil {
				t.Error(err)
				return
			}
			u, _ := url.Parse(s.URL)
			q := u.Query()
			if u.Path != "/container/dir/key" || q.Get("skoid") != "oid" || q.Get("sp") != "r" || q.Get("sr") != "b" || q.Get("rsct") != "text/plain" || q.Get("spr") != "https" {
				t.Errorf("signed %s", s.URL)
			}
		})
	}
	wg.Wait()
	if n := len(f.take()); n != 1 {
		t.Errorf("%d requests for keys, want 1", n)
	}
	s, err := b.features.Sign(t.Context(), driver.SignRequest{Method: http.MethodHead, Key: "key", Expires: 30 * 24 * time.Hour})
	if left := time.Until(s.Expires); err != nil || left > maxExpires || left < maxExpires-time.Hour {
		t.Errorf("30 days: %v left, %v", left, err)
	}
}

// Nobody waits for a key longer than its context lets it.
func TestUserDelegationBounded(t *testing.T) {
	hang := make(chan struct{})
	b, _ := tokenStore(t, func(http.ResponseWriter, *http.Request) { <-hang }, tokens{})
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			_, err := b.features.Sign(ctx, driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: time.Hour})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
}

func TestDelegationRenewed(t *testing.T) {
	var d delegation
	fetched := 0
	get := func(expires time.Duration) {
		t.Helper()
		_, _, err := d.get(t.Context(), func(context.Context) (*service.UserDelegationCredential, time.Time, error) {
			fetched++
			return &service.UserDelegationCredential{}, time.Now().Add(maxExpires), nil
		}, time.Now().Add(expires))
		if err != nil {
			t.Fatal(err)
		}
	}
	get(time.Hour)
	get(maxExpires + time.Minute) // the key is as young as can be
	if fetched != 1 {
		t.Errorf("fetched %d keys, want 1", fetched)
	}
	d.from = time.Now().Add(-2 * keyAge)
	get(time.Hour)
	get(maxExpires + time.Minute)
	if fetched != 2 {
		t.Errorf("fetched %d keys, want 2", fetched)
	}
	d.end = time.Now()
	get(time.Second)
	if fetched != 3 {
		t.Errorf("fetched %d keys, want 3", fetched)
	}
}

func TestTokens(t *testing.T) {
	b, f := tokenStore(t, created, tokens{})
	u, _ := b.CreateUpload(t.Context(), "key", driver.WriteOptions{})
	if _, err := b.copyPart(t.Context(), u, 1, driver.Source{Key: "src", Range: driver.Range{Len: 5}}); err != nil {
		t.Fatal(err)
	}
	sent := f.take()
	wantHeader(t, sent[len(sent)-1], map[string]string{
		"Authorization": "Bearer " + testToken, "X-Ms-Copy-Source-Authorization": "Bearer " + testToken,
		"X-Ms-Copy-Source": "https://account.blob.core.windows.net/container/src", "X-Ms-Source-Range": "bytes=0-4",
	})

	b, f = tokenStore(t, created, tokens{errors.New("DefaultAzureCredential: failed\nAttempted: none")})
	_, err := b.Stat(t.Context(), "key")
	if !errors.Is(err, driver.Denied) || strings.Contains(err.Error(), "\n") || driver.OutcomeUnknown(err) || len(f.take()) != 0 {
		t.Errorf("no token: got %v", err)
	}
	b, _ = tokenStore(t, reject(403, "AuthorizationPermissionMismatch"), tokens{})
	everyVerb(t, b, func(op driver.Op, err error) {
		if !errors.Is(err, driver.Denied) {
			t.Errorf("%s: got %v, want %v", op, err, driver.Denied)
		}
		noSecrets(t, err)
	})
}

func TestSignOffered(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Config
		want bool
	}{
		"key":         {Config{Container: "c", Account: "account", Key: testKey}, true},
		"signature":   {Config{Container: "c", Account: "account", SAS: testSAS}, false},
		"anonymous":   {Config{Container: "c", Account: "account", Credential: CredentialAnonymous}, false},
		"token":       {Config{Container: "c", Account: "account"}, true},
		"other host":  {Config{Container: "c", Account: "account", Endpoint: "https://blobs.example.com"}, false},
		"path, token": {Config{Container: "c", Endpoint: "https://127.0.0.1:10000/account"}, false},
	} {
		if got := openTest(t, tt.c).Features().Sign != nil; got != tt.want {
			t.Errorf("%s: offered %t, want %t", name, got, tt.want)
		}
	}
}

// TestSignedStart signs for an account with a policy that wants the start, and a span of
// at most 7 days.
func TestSignedStart(t *testing.T) {
	b := openTest(t, Config{Container: "container", Account: "account", Key: testKey})
	for _, life := range []time.Duration{time.Minute, maxExpires} {
		u, err := b.sign(t.Context(), driver.SignRequest{Method: http.MethodGet, Key: "key", Expires: life})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := url.Parse(u.URL)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.Parse(time.RFC3339, signed.Query().Get("st"))
		if err != nil {
			t.Fatalf("st of %s: %v", u, err)
		}
		if span := u.Expires.Sub(start); start.After(time.Now()) || span < life || span > maxExpires {
			t.Errorf("life %v: from %v to %v", life, start, u.Expires)
		}
	}
}
